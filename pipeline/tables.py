"""What the command line shows: tables for people."""

from collections import Counter
from collections.abc import Sequence

from rich.table import Column, Table
from rich.text import Text

from pipeline.extraction import ExtractionReport
from pipeline.ingest import IngestReport
from pipeline.records import Failure
from pipeline.report import RunReport
from pipeline.run_evaluation import RunEvaluation
from pipeline.score_text import SELECTION_NOTES, interval_text, mean_sd_text, number_text
from pipeline.splits import SPLIT_NAMES
from pipeline.store import StoredFile


def ingest_table(report: IngestReport) -> Table:
    """Show what a folder holds.

    Parameters
    ----------
    report : IngestReport
        What was found.

    Returns
    -------
    Table
        Counts.
    """
    labelled = sum(segment.label is not None for segment in report.segments)
    sizes = ", ".join(f"{name} {len(getattr(report.split, name))}" for name in SPLIT_NAMES)
    table = Table("found", "count", title="Ingested")
    table.add_row("clips", str(len(report.clips)))
    table.add_row("transcripts", str(report.transcripts))
    table.add_row("utterances", str(len(report.segments)))
    table.add_row("of them labelled", f"{labelled} ({sizes})")
    if report.moved:
        table.add_row("moved since the last time", str(len(report.moved)))
    if report.removed:
        table.add_row("no longer there", str(len(report.removed)))
    table.add_row("could not be used", str(len(report.failures)))
    return table


def extraction_lines(report: ExtractionReport) -> list[str]:
    """Say what each extractor did, one line each.

    Parameters
    ----------
    report : ExtractionReport
        Counts.

    Returns
    -------
    list of str
        Such as ``covarep: 3 extracted, 9 stored before, 0 failed (2.1 s)``.
    """
    return [
        f"{name}: {count} extracted, {report.stored[name]} stored before, "
        f"{report.failed[name]} failed ({report.seconds[name]:.1f} s)"
        for name, count in report.extracted.items()
    ]


def failure_table(failures: Sequence[Failure]) -> Table:
    """Show failures by step and code, with an example of each.

    Parameters
    ----------
    failures : sequence of Failure
        What could not be done.

    Returns
    -------
    Table
        One row a step and code.
    """
    counts = Counter((failure.step, failure.code) for failure in failures)
    first = {(failure.step, failure.code): failure for failure in reversed(failures)}
    table = Table("step", "code", "count", "first", title="Failures")
    for (step, code), count in sorted(counts.items()):
        # A file's name may look like markup.
        table.add_row(step, code, str(count), Text(first[step, code].detail))
    return table


def result_table(report: RunReport) -> Table:
    """Show a run's test results beside the constant predictor's.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    Table
        Metrics as mean and standard deviation over the seeds, and the interval of the mean.
    """
    summary = report.summary["test"]
    constant, ensemble = report.constant["test"], report.ensemble["test"]
    intervals = report.intervals.get("test", {})
    table = Table(
        Column("metric", no_wrap=True),
        f"mean ± sd, {len(report.seeds)} seeds",
        "95 % interval",
        "mean probabilities" if report.classes else "mean prediction",
        "constant",
        title=f"{report.model} on the test split ({constant.n} utterances), "
        f"{SELECTION_NOTES[report.selection][1]}",
    )
    for name in report.metric_names:
        table.add_row(
            name,
            mean_sd_text(summary[name]),
            interval_text(intervals.get(name)),
            number_text(getattr(ensemble, name)),
            number_text(getattr(constant, name)),
        )
    return table


def evaluation_table(found: RunEvaluation, *, name: str) -> Table:
    """Show how a run does on a split.

    Parameters
    ----------
    found : RunEvaluation
        Its scores.
    name : str
        As the run was asked for.

    Returns
    -------
    Table
        One column for each seed, mean and interval, and the seeds' mean prediction and interval.
    """
    n = found.metrics["ensemble"].n
    note = SELECTION_NOTES[found.selection][1]
    seeds = [seed for seed in found.metrics if seed != "ensemble"]
    table = Table(
        Column("metric", no_wrap=True),
        *(*seeds, "mean ± sd", "95 % interval", "ensemble", "95 % interval"),
        title=f"{name} on {found.on} ({n} utterances), {note}",
    )
    for metric in found.summary:
        table.add_row(
            metric,
            *(number_text(getattr(found.metrics[seed], metric)) for seed in seeds),
            mean_sd_text(found.summary[metric]),
            interval_text(found.intervals.get(metric)),
            number_text(getattr(found.metrics["ensemble"], metric)),
            interval_text(found.ensemble_intervals.get(metric)),
        )
    return table


def store_table(files: Sequence[StoredFile]) -> Table:
    """Show what a store holds, by extractor and settings.

    Parameters
    ----------
    files : sequence of StoredFile
        All of them.

    Returns
    -------
    Table
        Counts and sizes.
    """
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for stored in files:
        folder, _, name = stored.path.rpartition("/")
        counts[folder] += name.endswith(".safetensors")
        sizes[folder] += stored.size
    table = Table("extractor/settings", "sequences", "MB", title="Feature store")
    for folder in sorted(counts):
        table.add_row(folder, str(counts[folder]), f"{sizes[folder] / 1e6:.1f}")
    return table
