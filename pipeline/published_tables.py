"""Published figures beside a run's."""

from collections.abc import Sequence

from pipeline.paper_tables import PublishedScore
from pipeline.published_comparison import (
    MetricPlace,
    figure_text,
    in_our_units,
    our_metric,
    published_of,
)
from pipeline.report import RunReport
from pipeline.report_blocks import Table, make_table
from pipeline.report_tables import HEADINGS
from pipeline.score_text import mean_sd_text

_NOTE = (
    "As printed, percent written as shares. Features, splits, seeds and the choice of the epoch "
    "behind them differ between papers and from ours: landmarks, no measurements of this software."
)
#: Said where figures of two classes by the sign of a score are printed.
NON0_NOTE = " A figure whose source does not say how it counts targets of 0 stands beside non0."


def published_column(
    report: RunReport, dataset: str | None, *, sources: bool = True
) -> dict[MetricPlace, str]:
    """Look up the figures of a run's model on its data set.

    Parameters
    ----------
    report : RunReport
        A finished run.
    dataset : str or None
        As papers call it.
    sources : bool
        Whether each figure is followed by its source.

    Returns
    -------
    dict of MetricPlace to str
        Figures; empty if there are none.
    """
    found: dict[MetricPlace, list[PublishedScore]] = {}
    if dataset is not None:
        for score in published_of(dataset, model=report.model):
            place = our_metric(score)
            if place is not None:
                found.setdefault(place, []).append(score)
    if sources:
        return {place: figure_text(scores) for place, scores in found.items()}
    return {place: " / ".join(map(in_our_units, scores)) for place, scores in found.items()}


def landmarks_table(reports: Sequence[RunReport], dataset: str) -> Table:
    """Set runs beside everything that was published on a data set.

    Parameters
    ----------
    reports : sequence of RunReport
        Runs on this data set.
    dataset : str
        As papers call it.

    Returns
    -------
    Table
        One row a model and source, ours first.
    """
    scores = published_of(dataset)
    places = list(dict.fromkeys(filter(None, map(our_metric, scores))))
    by_row: dict[tuple[str, str], dict[MetricPlace, str]] = {}
    for score in scores:
        place = our_metric(score)
        if place is not None:
            cells = by_row.setdefault((score.model, score.source), {})
            cells.setdefault(place, in_our_units(score))
    ours = [[r.model, f"this run, {r.id}", *_ours(r, places)] for r in reports]
    theirs = [
        [model, source, *(cells.get(place, "") for place in places)]
        for (model, source), cells in by_row.items()
    ]
    heading = ["model", "source", *(HEADINGS[place.metric] for place in places)]
    note = _NOTE + (NON0_NOTE if MetricPlace("", "accuracy_2_non0") in places else "")
    return make_table(f"Published on {dataset}", heading, [*ours, *theirs], note=note, folded=True)


def _ours(report: RunReport, places: Sequence[MetricPlace]) -> list[str]:
    cells = []
    for place in places:
        scores = report.collection.get(place.group, {}) if place.group else report.summary["test"]
        found = scores.get(place.metric)
        cells.append("" if found is None else mean_sd_text(found))
    return cells
