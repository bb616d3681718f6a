"""What a person sees of a run in Prefect's pages."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from flows.report_server import page_address
from pipeline.chain import Project
from pipeline.extraction import ExtractionReport
from pipeline.maintenance import Maintenance
from pipeline.prediction_records import PredictionReport
from pipeline.records import Failure
from pipeline.report import RunReport
from pipeline.retraining import Retraining
from pipeline.run_comparison import Comparison
from pipeline.run_folder import load_run
from pipeline.score_text import SELECTION_NOTES, interval_text, mean_sd_text, number_text

#: A page of Prefect's shows this many rows at once.
LONGEST_TABLE = 200


def publish_run(project: Project, report: RunReport, predictions: Path | None = None) -> None:
    """Show a finished run: its headline metrics, its report and where its files are.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    report : RunReport
        The finished run.
    predictions : Path, optional
        Predictions of the utterances without a label.
    """
    page = report_page(project, report.id)
    create_markdown_artifact(
        markdown="\n\n".join(
            [
                f"# {report.id}",
                f"{report.model}, {len(report.seeds)} seeds, on {report.device}. "
                f"{SELECTION_NOTES[report.selection][0]}",
                _headline_markdown(report),
                _files_markdown({"Report": page, "Predictions": predictions}),
            ]
        ),
        key="run-report",
        description=f"Run {report.id}",
    )
    create_table_artifact(
        table=headline_rows(report), key="headline", description=f"Test metrics of {report.id}"
    )
    publish_link(page, f"Report of {report.id}", key="report")


def report_page(project: Project, run: str) -> Path:
    """Find the page of a run's report.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    run : str
        A complete run's id.

    Returns
    -------
    Path
        The HTML page, or the Markdown one where a run has none.
    """
    folder = (project.workspace.runs / run).resolve()
    page = folder / "report.html"
    return page if page.exists() else folder / "report.md"


def publish_link(page: Path, text: str, *, key: str) -> None:
    """Link to a page.

    Parameters
    ----------
    page : Path
        The file.
    text : str
        What it is.
    key : str
        Of the artifact.
    """
    create_link_artifact(
        link=page_address(page), link_text=text, key=key, description=f"{text}: `{page}`"
    )


def publish_retraining(project: Project, done: Retraining) -> None:
    """Show what was decided about a candidate, with the reports of both.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    done : Retraining
        What was decided.
    """
    pages = {
        role: report_page(project, run)
        for role, run in (("Candidate", done.candidate), ("Champion until now", done.beaten))
        if run is not None
    }
    parts = [
        f"# {done.outcome.replace('_', ' ').capitalize()}",
        str(done),
        _comparison_markdown(done.comparison),
        _files_markdown(pages),
    ]
    create_markdown_artifact(markdown="\n\n".join(parts), key="retraining", description=str(done))
    if done.beaten is not None:
        page = report_page(project, done.beaten)
        publish_link(
            page, f"Report of the champion until now, {done.beaten}", key="report-champion"
        )
    if done.trained and done.candidate is not None:
        publish_run(project, load_run(project.workspace.runs, done.candidate))


def publish_predictions(project: Project, report: PredictionReport, files: Sequence[Path]) -> None:
    """Show what a run says of some videos.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    report : PredictionReport
        All utterances.
    files : sequence of Path
        Where it was written down.
    """
    rows = prediction_rows(report)
    shown = "" if len(rows) <= LONGEST_TABLE else f", the first {LONGEST_TABLE}"
    create_table_artifact(
        table=rows[:LONGEST_TABLE] or [{"video": "–", "text": "nobody speaks"}],
        key="predictions",
        description=f"{len(rows)} utterances by {report.run}{shown}",
    )
    create_markdown_artifact(
        markdown=f"# Predictions by {report.run}\n\n"
        + _files_markdown(
            {path.name: path for path in files[:LONGEST_TABLE]}
            | {"Report of the run": report_page(project, report.run)}
        ),
        key="prediction-files",
        description="Where the predictions are",
    )


def publish_maintenance(done: Maintenance) -> None:
    """Show what was deleted, and why.

    Parameters
    ----------
    done : Maintenance
        What was done.
    """
    create_table_artifact(
        table=[
            {
                "what": row["kind"],
                "why": row["reason"],
                "count": row["count"],
                "MB": round(row["bytes"] / 1e6, 1),
            }
            for row in done.rows()[:LONGEST_TABLE]
        ]
        or [{"what": "–", "why": "nothing was in the way", "count": 0, "MB": 0.0}],
        key="maintenance",
        description=done.summary(),
    )


def publish_failures(failures: Sequence[Failure]) -> None:
    """Show by step and code what could not be used.

    Parameters
    ----------
    failures : sequence of Failure
        All of them.
    """
    create_table_artifact(
        table=failure_rows(failures),
        key="failures",
        description=f"What could not be used: {len(failures)}, by step and reason",
    )


def publish_extraction(report: ExtractionReport) -> None:
    """Show what was extracted and what was there before.

    Parameters
    ----------
    report : ExtractionReport
        Counts.
    """
    create_table_artifact(
        table=[
            {
                "extractor": name,
                "extracted": count,
                "stored before": report.stored[name],
                "failed": report.failed[name],
                "seconds": round(report.seconds[name], 1),
            }
            for name, count in report.extracted.items()
        ],
        key="extraction",
        description=f"{sum(report.extracted.values())} sequences extracted, "
        f"{sum(report.stored.values())} stored before, {sum(report.failed.values())} failed",
    )


def failure_rows(failures: Sequence[Failure]) -> list[dict[str, object]]:
    """Count failures by step and code, with an example of each.

    Parameters
    ----------
    failures : sequence of Failure
        All of them.

    Returns
    -------
    list of dict
        ``step``, ``code``, ``count`` and ``first``, the most frequent first; one row that says so
        if there are none.
    """
    counts = Counter((failure.step, failure.code) for failure in failures)
    first = {(failure.step, failure.code): failure.detail for failure in reversed(failures)}
    rows: list[dict[str, object]] = [
        {"step": step, "code": code, "count": count, "first": first[step, code]}
        for (step, code), count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    ]
    return rows[:LONGEST_TABLE] or [{"step": "–", "code": "none", "count": 0, "first": "–"}]


def headline_rows(report: RunReport) -> list[dict[str, str]]:
    """Give the test metrics as rows of a table.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    list of dict
        ``metric``, ``mean ± sd``, ``95 % interval`` and ``constant``: always saying the median.
    """
    summary, constant = report.summary["test"], report.constant["test"]
    intervals = report.intervals.get("test", {})
    return [
        {
            "metric": name,
            "mean ± sd": mean_sd_text(summary[name]),
            "95 % interval": interval_text(intervals.get(name)),
            "constant": number_text(getattr(constant, name)),
        }
        for name in report.metric_names
    ]


def prediction_rows(report: PredictionReport) -> list[dict[str, str]]:
    """Give predictions as rows of a table.

    Parameters
    ----------
    report : PredictionReport
        Of some videos.

    Returns
    -------
    list of dict
        ``video``, ``seconds``, ``text``, ``prediction`` and ``interval`` of every utterance; of
        classes the predicted one with its probability, and the set of classes.
    """
    return [
        {
            "video": Path(video.path).name,
            "seconds": f"{said.start:.1f}–{said.end:.1f}",
            "text": said.text,
            "prediction": " ".join(
                filter(None, (said.predicted_class, number_text(said.prediction)))
            ),
            "interval": ", ".join(said.class_set or ())
            if said.predicted_class
            else interval_text(said.label_interval),
        }
        for video in report.videos
        for said in video.utterances
    ]


def _comparison_markdown(found: Comparison | None) -> str:
    if found is None:
        return ""
    rows = [
        ["", found.metric],
        ["---", "---"],
        ["candidate", number_text(found.candidate)],
        ["champion until now", number_text(found.champion)],
        ["better by", number_text(found.improvement)],
        [f"{100 * found.confidence:g} % interval", interval_text(found.interval)],
        ["p, two-sided", number_text(found.p_value)],
        ["test utterances, clips", f"{found.utterances}, {found.clips}"],
    ]
    return _markdown_table(rows)


def _headline_markdown(report: RunReport) -> str:
    rows = headline_rows(report)
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return _markdown_table(lines)


def _markdown_table(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _files_markdown(files: Mapping[str, Path | None]) -> str:
    return "\n".join(
        f"- [{name}]({page_address(path)}): `{path.resolve()}`"
        for name, path in files.items()
        if path is not None
    )
