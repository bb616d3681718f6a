"""Ablations as a page: ours beside Table 2 of the paper."""

from pydantic import TypeAdapter

from pipeline.ablation import PAPER_ROWS, AblationResult, AblationRow
from pipeline.paper_tables import published_scores
from pipeline.score_text import (
    DASH,
    SELECTION_NOTES,
    difference_text,
    interval_text,
    mean_sd_text,
)

_HEADINGS = {
    "mae": "MAE",
    "correlation": "Corr",
    "accuracy_2_non0": "Acc-2 non0",
    "accuracy": "Acc",
}
# What stands in the paper's table, by column group.
_PAPER = (
    ("CMU-MOSI", ("MAE", "Corr")),
    ("CMU-MOSEI", ("MAE", "Corr")),
    ("UR-FUNNY", ("Acc2",)),
)
_TABLE = "arXiv 2401.11818 (MInD), table 2"


def ablation_markdown(result: AblationResult) -> str:
    """Write the page.

    Parameters
    ----------
    result : AblationResult
        Finished variants.

    Returns
    -------
    str
        Markdown: one row a variant, ours with deviation, interval and difference to the full model,
        and the paper's figures.
    """
    main = result.metrics[0]
    heading = [
        "variant",
        *(f"{_HEADINGS[metric]}, ours" for metric in result.metrics),
        f"{_HEADINGS[main]}, 95 % interval",
        f"{_HEADINGS[main]} minus full, 95 % interval, p",
        *(f"paper: {dataset} {' / '.join(metrics)}" for dataset, metrics in _PAPER),
    ]
    rows = [[_label(row), *_ours(row, result.metrics), *_paper(row.name)] for row in result.rows]
    lines = [heading, ["---"] * len(heading), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    failures = [f"`{row.name}` failed: {row.failure}" for row in result.rows if row.failure]
    return "\n\n".join(["# Ablations of MInD", table, *failures, *_notes(result)]) + "\n"


def ablation_json(result: AblationResult) -> str:
    """Write all metrics of all variants.

    Parameters
    ----------
    result : AblationResult
        Finished variants.

    Returns
    -------
    str
        JSON; what is not defined is null.
    """
    return TypeAdapter(AblationResult).dump_json(result, indent=1).decode()


def _label(row: AblationRow) -> str:
    return f"{PAPER_ROWS[row.name]} (`{row.name}`)"


def _ours(row: AblationRow, metrics: tuple[str, ...]) -> list[str]:
    if not row.scores:
        return ["failed", *[DASH] * (len(metrics) + 1)]
    return [
        *(mean_sd_text(row.scores[metric]) for metric in metrics),
        interval_text(row.scores[metrics[0]].interval),
        difference_text(row.differences.get(metrics[0])),
    ]


def _paper(name: str) -> list[str]:
    found = {
        (score.dataset, score.metric): score.text
        for score in published_scores()
        if score.source == _TABLE and score.variant == PAPER_ROWS[name]
    }
    return [" / ".join(found[dataset, metric] for metric in metrics) for dataset, metrics in _PAPER]


def _notes(result: AblationResult) -> list[str]:
    seeds = len(result.seeds)
    few = " Fewer than 5 seeds: the order of the rows means nothing." if seeds < 5 else ""
    return [
        f"Ours: {result.utterances} test utterances of {result.clips} clips; mean ± sd over "
        f"{seeds} seed(s). Intervals and the two-sided p are of 2000 bootstrap samples of clips "
        "with these seeds, p not corrected for the number of rows: a difference whose interval "
        f"holds 0, or that is small beside the sd over seeds, shows nothing.{few}",
        SELECTION_NOTES[result.selection][0],
        f"Paper: {_TABLE}, as printed, accuracy in percent; without seeds or deviations, from "
        "word-aligned features of other extractors. Its text does not say how a checkpoint was "
        "selected.",
    ]
