"""Several runs side by side."""

from collections.abc import Sequence

import numpy as np

from pipeline.bootstrap import Difference, paired_bootstrap
from pipeline.clip_names import clip_names
from pipeline.curve_panels import comparison_panel
from pipeline.published_comparison import MetricPlace
from pipeline.published_tables import landmarks_table, published_column
from pipeline.report import RunReport
from pipeline.report_blocks import Section, Table, make_table
from pipeline.report_tables import HEADINGS
from pipeline.run_findings import RunFindings
from pipeline.score_text import (
    DASH,
    SELECTION_NOTES,
    difference_text,
    interval_text,
    mean_sd_text,
)


def comparison_section(runs: Sequence[RunFindings]) -> Section:
    """Set runs side by side.

    Parameters
    ----------
    runs : sequence of RunFindings
        Two or more.

    Returns
    -------
    Section
        What they are, their scores, their differences to the first, what is published.
    """
    reports = [run.report for run in runs]
    tables = [_runs_table(reports), _scores_table(runs)]
    differences = _differences_table(runs)
    tables += [differences] if differences else []
    for dataset in dict.fromkeys(run.dataset for run in runs if run.dataset):
        of_it = [run.report for run in runs if run.dataset == dataset]
        tables.append(landmarks_table(of_it, dataset))
    digests = {report.data_digest for report in reports}
    text = (
        "All runs are on the same data."
        if len(digests) == 1
        else f"**The runs are on {len(digests)} different data sets**: their scores cannot be set "
        "against each other."
    )
    names = [(f"{report.model}, {report.id[-12:]}", report) for report in reports]
    return Section(
        title="Comparison", text=text, tables=tuple(tables), panels=(comparison_panel(names),)
    )


def _runs_table(reports: Sequence[RunReport]) -> Table:
    rows = [
        [
            report.id,
            report.model,
            str(len(report.seeds)),
            str(report.constant["test"].n),
            SELECTION_NOTES[report.selection][1],
            f"{report.timings.get('train', float('nan')):.1f}",
            report.device,
            report.data_digest[:12],
        ]
        for report in reports
    ]
    heading = [
        *("run", "model", "seeds", "test utterances", "selection"),
        *("training, s", "device", "data"),
    ]
    return make_table("Runs", heading, rows)


def _scores_table(runs: Sequence[RunFindings]) -> Table:
    """One row a metric; of each run ours, its interval, and the figures of papers if any."""
    published = [published_column(run.report, run.dataset, sources=False) for run in runs]
    heading = ["metric"]
    for run, found in zip(runs, published, strict=True):
        name = f"{run.report.model} {run.report.id[-12:]}"
        heading += [f"{name}, mean ± sd", "95 % interval"]
        heading += [f"published, {run.dataset}"] if found else []
    names = [name for run in runs for name in run.report.metric_names]
    places = [MetricPlace("", name) for name in dict.fromkeys(names)]
    for run in runs:
        places += [
            place
            for group, scores in run.report.collection.items()
            for metric in scores
            # without targets of 0: each run's own section has it
            if group == "sims" and (place := MetricPlace(group, metric)) not in places
        ]
    rows = []
    for place in places:
        cells = [_metric_name(place)]
        for run, found in zip(runs, published, strict=True):
            cells += _scores(run.report, place)
            cells += [found.get(place, "")] if found else []
        rows.append(cells)
    note = "Sources of published figures: below." if any(published) else ""
    return make_table("Test metrics, side by side", heading, rows, note=note)


def _metric_name(place: MetricPlace) -> str:
    if not place.group:
        return HEADINGS[place.metric]
    return f"{place.group.replace('_', ' ')}: {HEADINGS[place.metric]}"


def _scores(report: RunReport, place: MetricPlace) -> list[str]:
    if place.group:
        found = report.collection.get(place.group, {}).get(place.metric)
        return [DASH] * 2 if found is None else [mean_sd_text(found), interval_text(found.interval)]
    summary = report.summary["test"].get(place.metric)
    if summary is None:
        return [DASH] * 2
    interval = report.intervals.get("test", {}).get(place.metric)
    return [mean_sd_text(summary), interval_text(interval)]


def _differences_table(runs: Sequence[RunFindings]) -> Table | None:
    """Paired differences to the first run, of those that predict the same utterances."""
    first = runs[0]
    others = {run.report.id: differences(run, first) for run in runs[1:]}
    known = {name: found for name, found in others.items() if found}
    if not known:
        return None
    rows = [
        [HEADINGS[metric], *(difference_text(found[metric]) for found in known.values())]
        for metric in first.report.metric_names
    ]
    return make_table(
        f"Difference to {first.report.id}, 95 % interval and p",
        ["metric", *known],
        rows,
        note="Mean over the seeds, on the same resampled clips (2000 bootstrap samples); p is "
        "two-sided and not corrected for the number of comparisons.",
    )


def differences(run: RunFindings, first: RunFindings) -> dict[str, Difference]:
    """Compare two runs on the same test utterances.

    Parameters
    ----------
    run, first : RunFindings
        Of two runs.

    Returns
    -------
    dict of str to Difference
        Metric to the first run's distance from the other; empty if their test utterances, labels
        or classes differ.
    """
    if run.test is None or first.test is None or set(run.test.ids) != set(first.test.ids):
        return {}
    task = first.report.task
    if run.report.classes != first.report.classes:
        return {}
    place = {name: row for row, name in enumerate(run.test.ids)}
    order = np.array([place[name] for name in first.test.ids])
    if not np.array_equal(run.test.target[order], first.test.target):
        return {}
    return paired_bootstrap(
        first=run.report.task.said(run.test.by_seed[:, order]),
        second=task.said(first.test.by_seed),
        target=first.target,
        clips=clip_names(first.test.ids),
        scoring=task.scoring,
    )
