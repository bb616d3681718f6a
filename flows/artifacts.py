"""What a person sees of a run in Prefect's pages."""

from collections import Counter
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from pipeline.chain import Project
from pipeline.report import RunReport


def publish(project: Project, report: RunReport, predictions: Path) -> None:
    """Show a finished run: its report, its failures and where its files are.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    report : RunReport
        The finished run.
    predictions : Path
        Predictions of the utterances without a label.
    """
    folder = (project.workspace.runs / report.id).resolve()
    page = (folder / "report.md").read_text()
    files = f"\n\nReport: `{folder / 'report.md'}`\n\nPredictions: `{predictions.resolve()}`\n"
    create_markdown_artifact(
        markdown=page + files, key="run-report", description=f"Run {report.id}"
    )
    counts = Counter((failure.step, failure.code) for failure in project.failures())
    create_table_artifact(
        table=[
            {"step": step, "code": code, "count": count}
            for (step, code), count in sorted(counts.items())
        ]
        or [{"step": "–", "code": "none", "count": 0}],
        key="failures",
        description="What could not be used, by step and reason",
    )
