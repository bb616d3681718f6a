"""A run's report as a page to read."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.collection_metrics import COLLECTION_METRICS
from pipeline.figures import FIGURES
from pipeline.metrics import METRIC_NAMES, SentimentMetrics
from pipeline.report import RunReport
from pipeline.score_summary import SeedScores
from pipeline.score_text import SELECTION_NOTES, interval_text, mean_sd_text, number_text
from pipeline.splits import SPLIT_NAMES

_HEADINGS = {
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
}
# Those of single collections have names of their own.
_COLLECTION_HEADINGS = _HEADINGS | {
    "accuracy": "Acc",
    "accuracy_2": "Acc-2",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
}
# A page that lists hundreds of failures is not read; the JSON beside it has all of them.
_MOST_FAILURES = 50


def render_markdown(report: RunReport) -> str:
    """Write the page.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    str
        Markdown that links to ``figures/*.png`` beside it.
    """
    sections = [
        f"# Run {report.id}",
        _about(report),
        "## Test metrics",
        _headline(report),
        *(_collection(name, scores) for name, scores in report.collection.items()),
        "## Every seed",
        _seeds(report),
        "## Loss terms",
        _terms(report),
        "## Data",
        _data(report),
        "## Failures",
        _failures(report),
        "## Time",
        _pairs(("stage", "seconds"), ((k, f"{v:.1f}") for k, v in report.timings.items())),
        "## Figures",
        "\n\n".join(f"![{title}](figures/{name}.png)" for name, title in FIGURES.items()),
        "## Settings",
        _pairs(("training", "value"), report.training.items()),
        _pairs(("model", "value"), report.model_config.items()),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _about(report: RunReport) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in report.versions.items())
    return (
        f"Model `{report.model}`, {len(report.seeds)} seed(s), trained on {report.device}, "
        f"{report.created}. {versions}."
    )


def _headline(report: RunReport) -> str:
    test = report.constant["test"]
    note = (
        f"{test.n} test utterances, {test.n_nonzero} of them with a target other than 0. has0: "
        "negative against not negative; non0: negative against positive, targets of 0 left out; "
        "F1 is weighted; swapped: predictions taken for the truth, as in the code of MISA, MulT "
        "and MInD. Intervals are percentiles of 2000 bootstrap samples of the clips, for the seeds "
        "that there are; the sd tells how seeds differ. A dash: not defined, as the correlation of "
        f"constant predictions.\n\n{SELECTION_NOTES[report.selection][0]}"
    )
    heading = [
        *("metric", f"`{report.model}`, mean ± sd over seeds", "95 % interval"),
        *("mean of the seeds' predictions", "95 % interval", "constant (median of train)"),
    ]
    return f"{_table(heading, [_headline_row(report, name) for name in METRIC_NAMES])}\n\n{note}"


def _headline_row(report: RunReport, name: str) -> list[str]:
    of_seeds, of_mean = (
        found.get("test", {}).get(name) for found in (report.intervals, report.ensemble_intervals)
    )
    return [
        _HEADINGS[name],
        mean_sd_text(report.summary["test"][name]),
        interval_text(of_seeds),
        number_text(getattr(report.ensemble["test"], name)),
        interval_text(of_mean),
        number_text(getattr(report.constant["test"], name)),
    ]


def _collection(name: str, scores: dict[str, SeedScores]) -> str:
    rows = [
        [_COLLECTION_HEADINGS[metric], mean_sd_text(one), interval_text(one.interval)]
        for metric, one in scores.items()
    ]
    table = _table(["metric", "mean ± sd over seeds", "95 % interval"], rows)
    return f"### {name.replace('_', ' ')}\n\n{COLLECTION_METRICS[name]}\n\n{table}"


def _seeds(report: RunReport) -> str:
    rows = [
        [
            *(str(seed.seed), str(seed.best_epoch), str(len(seed.history)), split),
            *_metric_cells(seed.metrics[split]),
        ]
        for seed in report.seeds
        for split in seed.metrics
    ]
    return _table(["seed", "selected epoch (from 0)", "epochs", "split", *_HEADINGS.values()], rows)


def _terms(report: RunReport) -> str:
    """Values at each seed's selected epoch, averaged over the seeds."""
    chosen = [seed.history[seed.best_epoch] for seed in report.seeds]
    first = [seed.history[0] for seed in report.seeds]
    rows = []
    for name, weight in chosen[0].weights.items():
        before = sum(record.terms[name] for record in first) / len(first)
        after = sum(record.terms[name] for record in chosen) / len(chosen)
        values = (f"{x:.4g}" for x in (before, after, weight * after))
        rows.append([name.replace("_", " "), f"{weight:g}", *values])
    heading = ["term", "weight", "first epoch", "selected epoch", "weighted"]
    return f"{_table(heading, rows)}\n\nTraining split, mean over the seeds."


def _data(report: RunReport) -> str:
    facts = dict(report.data)
    counts = facts.pop("utterances", {})
    modalities = facts.pop("modalities", {})
    parts = [
        _table(["split", "labelled utterances"], [[n, str(counts.get(n, 0))] for n in SPLIT_NAMES]),
        _table(
            ["modality", "features", "rows", "valid rows", "utterances without"],
            [[name, *(str(value) for value in m.values())] for name, m in modalities.items()],
        ),
        _pairs(("fact", "value"), facts.items()),
        _extraction(report.extraction),
        f"Data digest `{report.data_digest[:12]}`.",
    ]
    return "\n\n".join(part for part in parts if part)


def _extraction(facts: Mapping[str, Any]) -> str:
    """One row an extractor: what it did for this run, and in which time of all processes."""
    names = list(facts.get("extracted", {}))
    counts = ("extracted", "stored", "failed")
    rows = [
        [name, *(str(facts[count][name]) for count in counts), f"{facts['seconds'][name]:.1f}"]
        for name in names
    ]
    heading = ["extractor", "extracted", "stored before", "failed", "seconds, all processes"]
    return _table(heading, rows) if rows else ""


def _failures(report: RunReport) -> str:
    if not report.failures:
        return "None."
    counts = Counter((f.get("step", ""), f.get("code", "")) for f in report.failures)
    totals = _table(
        ["step", "code", "count"], [[s, c, str(n)] for (s, c), n in counts.most_common()]
    )
    listed = _table(
        ["item", "step", "code", "detail"],
        [
            [str(failure.get(key, "")) for key in ("item", "step", "code", "detail")]
            for failure in report.failures[:_MOST_FAILURES]
        ],
    )
    rest = len(report.failures) - _MOST_FAILURES
    return f"{totals}\n\n{listed}" + (f"\n\n{rest} more in report.json." if rest > 0 else "")


def _metric_cells(metrics: SentimentMetrics) -> list[str]:
    return [number_text(getattr(metrics, name)) for name in METRIC_NAMES]


def _pairs(heading: tuple[str, str], pairs: Iterable[tuple[str, Any]]) -> str:
    rows = [[str(key), str(value)] for key, value in pairs]
    return _table(list(heading), rows) if rows else ""


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
