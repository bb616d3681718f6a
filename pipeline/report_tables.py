"""The tables of a run's report."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.collection_metrics import COLLECTION_METRICS
from pipeline.metrics import SentimentMetrics
from pipeline.report import RunReport
from pipeline.report_blocks import Table, make_table
from pipeline.run_task import Metrics
from pipeline.score_summary import SeedScores
from pipeline.score_text import SELECTION_NOTES, interval_text, mean_sd_text, number_text
from pipeline.splits import SPLIT_NAMES

#: Names of the metrics, those of scores from -3 to 3 first.
HEADINGS = {
    "mae": "MAE",
    "correlation": "Corr",
    "accuracy_2_has0": "Acc-2 has0",
    "accuracy_2_non0": "Acc-2 non0",
    "f1_has0": "F1 has0",
    "f1_non0": "F1 non0",
    "accuracy_7": "Acc-7",
    "accuracy_5": "Acc-5",
    "accuracy_3": "Acc-3",
    "f1_swapped_has0": "F1 swapped has0",
    "f1_swapped_non0": "F1 swapped non0",
    "accuracy": "Acc",
    "accuracy_2": "Acc-2",
    "f1": "F1",
    "f1_weighted": "F1 weighted",
    "precision": "precision",
    "recall": "recall",
}
# A page that lists hundreds of failures is not read; the JSON beside it has all of them.
_MOST_FAILURES = 50


def about(report: RunReport) -> str:
    """Say what was trained, when and where.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    str
        Two sentences.
    """
    versions = ", ".join(f"{name} {value}" for name, value in report.versions.items())
    return (
        f"Model `{report.model}`, {len(report.seeds)} seed(s), trained on {report.device}, "
        f"{report.created}. {versions}."
    )


def headline_table(report: RunReport, *, published: Mapping[str, str] | None = None) -> Table:
    """Set the test metrics beside a constant's, and beside published ones.

    Parameters
    ----------
    report : RunReport
        A finished run.
    published : mapping of str to str, optional
        Metric to published figures; without any there is no column of them.

    Returns
    -------
    Table
        One row a metric.
    """
    note = (
        f"{_what_is_counted(report)} Intervals are percentiles of 2000 bootstrap samples of the "
        "clips, for the seeds that there are; the sd tells how seeds differ. A dash: not defined, "
        f"as the {'sd of one seed' if report.classes else 'correlation of constant predictions'}."
        f"\n\n{SELECTION_NOTES[report.selection][0]}"
    )
    together, constant = "mean of the seeds' predictions", "constant (median of train)"
    if report.classes:
        together, constant = "mean of the seeds' probabilities", "constant (commonest of train)"
    heading = [
        *("metric", f"`{report.model}`, mean ± sd over seeds", "95 % interval"),
        *(together, "95 % interval", constant),
    ]
    names = report.metric_names
    rows = [_headline_row(report, name) for name in names]
    if published:
        heading.append("published")
        rows = [[*row, published.get(name, "")] for row, name in zip(rows, names, strict=True)]
    return make_table("Test metrics", heading, rows, note=note)


def _what_is_counted(report: RunReport) -> str:
    test = report.constant["test"]
    if isinstance(test, SentimentMetrics):
        return (
            f"{test.n} test utterances, {test.n_nonzero} of them with a target other than 0. has0: "
            "negative against not negative; non0: negative against positive, targets of 0 left "
            "out; F1 is weighted; swapped: predictions taken for the truth, as in the code of "
            "MISA, MulT and MInD."
        )
    return (
        f"{test.n} test utterances of {len(report.classes)} classes. F1, precision and recall are "
        "unweighted means over the classes, but for the weighted F1. The seeds together say the "
        "class with the largest mean probability."
    )


def _headline_row(report: RunReport, name: str) -> list[str]:
    of_seeds, of_mean = (
        found.get("test", {}).get(name) for found in (report.intervals, report.ensemble_intervals)
    )
    return [
        HEADINGS[name],
        mean_sd_text(report.summary["test"][name]),
        interval_text(of_seeds),
        number_text(getattr(report.ensemble["test"], name)),
        interval_text(of_mean),
        number_text(getattr(report.constant["test"], name)),
    ]


def collection_table(
    name: str, scores: Mapping[str, SeedScores], *, published: Mapping[str, str] | None = None
) -> Table:
    """Show the metrics of single collections.

    Parameters
    ----------
    name : str
        One of :data:`pipeline.collection_metrics.COLLECTION_METRICS`.
    scores : mapping of str to SeedScores
        By metric.
    published : mapping of str to str, optional
        Metric to published figures; without any there is no column of them.

    Returns
    -------
    Table
        One row a metric; its note says what they are.
    """
    rows = [
        [HEADINGS[metric], mean_sd_text(one), interval_text(one.interval)]
        for metric, one in scores.items()
    ]
    heading = ["metric", "mean ± sd over seeds", "95 % interval"]
    if published:
        heading.append("published")
        rows = [[*row, published.get(m, "")] for row, m in zip(rows, scores, strict=True)]
    note = COLLECTION_METRICS[name]
    # a second count of the same utterances, for those who compare with one paper
    return make_table(name.replace("_", " "), heading, rows, note=note, folded=name == "nonzero")


def seeds_table(report: RunReport) -> Table:
    """Show every seed on every split.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    Table
        One row a seed and split.
    """
    rows = [
        [
            *(str(seed.seed), str(seed.best_epoch), str(len(seed.history)), split),
            *_metric_cells(seed.metrics[split], report.metric_names),
        ]
        for seed in report.seeds
        for split in seed.metrics
    ]
    names = [HEADINGS[name] for name in report.metric_names]
    heading = ["seed", "selected epoch (from 0)", "epochs", "split", *names]
    return make_table("Every seed", heading, rows, folded=True)


def terms_table(report: RunReport) -> Table:
    """Show the loss terms at each seed's first and selected epoch, averaged over the seeds.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    Table
        One row a term.
    """
    chosen = [seed.history[seed.best_epoch] for seed in report.seeds]
    first = [seed.history[0] for seed in report.seeds]
    rows = []
    for name, weight in chosen[0].weights.items():
        before = sum(record.terms[name] for record in first) / len(first)
        after = sum(record.terms[name] for record in chosen) / len(chosen)
        values = (f"{x:.4g}" for x in (before, after, weight * after))
        rows.append([name.replace("_", " "), f"{weight:g}", *values])
    heading = ["term", "weight", "first epoch", "selected epoch", "weighted"]
    note = "Training split, mean over the seeds."
    return make_table("Loss terms", heading, rows, note=note)


def data_tables(report: RunReport) -> tuple[Table, ...]:
    """Show what the data are.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    tuple of Table
        Splits, modalities, further facts, extraction; without rows where there is nothing.
    """
    facts = dict(report.data)
    counts = facts.pop("utterances", {})
    modalities = facts.pop("modalities", {})
    return (
        make_table(
            "Labelled utterances",
            ["split", "labelled utterances"],
            [[name, str(counts.get(name, 0))] for name in SPLIT_NAMES],
        ),
        make_table(
            "Modalities",
            ["modality", "features", "rows", "valid rows", "utterances without"],
            [[name, *(str(value) for value in m.values())] for name, m in modalities.items()],
        ),
        pairs_table("Facts", ("fact", "value"), facts.items()),
        _extraction(report.extraction),
    )


def _extraction(facts: Mapping[str, Any]) -> Table:
    """One row an extractor: what it did for this run, and in which time of all processes."""
    names = list(facts.get("extracted", {}))
    counts = ("extracted", "stored", "failed")
    rows = [
        [name, *(str(facts[count][name]) for count in counts), f"{facts['seconds'][name]:.1f}"]
        for name in names
    ]
    heading = ["extractor", "extracted", "stored before", "failed", "seconds, all processes"]
    return make_table("Extraction", heading, rows)


def failure_tables(report: RunReport) -> tuple[Table, ...]:
    """Show what could not be ingested or extracted.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    tuple of Table
        Counts by step and code, and the first fifty; none if there were none.
    """
    if not report.failures:
        return ()
    counts = Counter((f.get("step", ""), f.get("code", "")) for f in report.failures)
    rest = len(report.failures) - _MOST_FAILURES
    return (
        make_table(
            "Failures by kind",
            ["step", "code", "count"],
            [[s, c, str(n)] for (s, c), n in counts.most_common()],
        ),
        make_table(
            "Failures",
            ["item", "step", "code", "detail"],
            [
                [str(failure.get(key, "")) for key in ("item", "step", "code", "detail")]
                for failure in report.failures[:_MOST_FAILURES]
            ],
            note=f"{rest} more in report.json." if rest > 0 else "",
            folded=True,
        ),
    )


def pairs_table(
    caption: str,
    heading: tuple[str, str],
    pairs: Iterable[tuple[str, Any]],
    *,
    folded: bool = False,
) -> Table:
    """Show names and values.

    Parameters
    ----------
    caption, heading, folded
        Of the table.
    pairs : iterable of (str, object)
        Its rows.

    Returns
    -------
    Table
        Two columns.
    """
    rows = [[str(key), str(value)] for key, value in pairs]
    return make_table(caption, heading, rows, folded=folded)


def time_table(report: RunReport) -> Table:
    """Show how long the stages took.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    Table
        One row a stage.
    """
    pairs = ((stage, f"{seconds:.1f}") for stage, seconds in report.timings.items())
    return pairs_table("Time by stage", ("stage", "seconds"), pairs)


def _metric_cells(metrics: Metrics, names: Iterable[str]) -> list[str]:
    return [number_text(getattr(metrics, name)) for name in names]
