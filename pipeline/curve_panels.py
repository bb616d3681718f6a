"""Curves of training, epoch by epoch."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from pipeline.plotly_traces import COLORS, axes, line, number
from pipeline.report import RunReport, SeedReport
from pipeline.report_blocks import Panel


def curve_panels(report: RunReport) -> tuple[Panel, ...]:
    """Draw all terms, the gradients and the validation error of all seeds by epoch.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    tuple of Panel
        The validation error first, with the selected epochs marked.
    """
    first = report.seeds[0].history[0]
    panels = [
        _curves(report.seeds, "Validation error", lambda record: record.valid_mae, marked=True)
    ]
    if first.test_mae is not None:
        panels.append(
            _curves(
                report.seeds,
                "Test error, which selected the epoch",
                lambda record: record.test_mae,
                marked=True,
            )
        )
    for term, weight in first.weights.items():
        title = f"Term {term.replace('_', ' ')}, weight {weight:g}"
        panels.append(_curves(report.seeds, title, lambda record, t=term: record.terms.get(t)))
    panels.append(
        _curves(report.seeds, "Gradient norm, all terms", lambda record: record.gradient_norm)
    )
    norms = _norms(report.seeds)
    return (*panels, *([norms] if norms else []))


def _curves(
    seeds: Sequence[SeedReport],
    title: str,
    value: Callable[..., float | None],
    *,
    marked: bool = False,
) -> Panel:
    data = []
    for place, seed in enumerate(seeds):
        color = COLORS[place % len(COLORS)]
        values = [number(value(record)) for record in seed.history]
        data.append(line(f"seed {seed.seed}", [r.epoch for r in seed.history], values, color))
        if marked:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "x": [seed.best_epoch],
                    "y": [values[seed.best_epoch]],
                    "name": f"selected, seed {seed.seed}",
                    "showlegend": False,
                    "marker": {"color": color, "size": 9, "symbol": "star"},
                }
            )
    ends = [value(seed.history[seed.best_epoch]) for seed in seeds]
    known = [end for end in ends if end is not None]
    described = f"{len(seeds)} seed(s) by epoch; at the selected epochs {_range(known)}."
    return Panel(caption=title, description=described, data=data, layout=axes("epoch", ""))


def _norms(seeds: Sequence[SeedReport]) -> Panel | None:
    """One line a term, the mean over the seeds that reached the epoch."""
    by_term: dict[str, dict[int, list[float]]] = {}
    for seed in seeds:
        for record in seed.history:
            for term, norm in record.gradient_norms.items():
                by_term.setdefault(term, {}).setdefault(record.epoch, []).append(norm)
    if not by_term:
        return None
    data = [
        line(
            term.replace("_", " "),
            list(epochs),
            [number(float(np.mean(norms)) or None) for norms in epochs.values()],
            COLORS[place % len(COLORS)],
        )
        for place, (term, epochs) in enumerate(by_term.items())
    ]
    layout = axes("epoch", "") | {"showlegend": True}
    layout["yaxis"] |= {"type": "log", "exponentformat": "power"}
    return Panel(
        caption="Gradient norm by term",
        description="2-norm of each weighted term's gradient on the first batch of an epoch, over "
        "the parameters that two terms or more reach; mean over the seeds, on a logarithmic scale.",
        data=data,
        layout=layout,
    )


def comparison_panel(reports: Iterable[tuple[str, RunReport]]) -> Panel:
    """Draw the validation errors of several runs, the mean over their seeds.

    Parameters
    ----------
    reports : iterable of (str, RunReport)
        Names and runs.

    Returns
    -------
    Panel
        One line a run.
    """
    data = []
    for place, (name, report) in enumerate(reports):
        by_epoch: dict[int, list[float]] = {}
        for seed in report.seeds:
            for record in seed.history:
                by_epoch.setdefault(record.epoch, []).append(record.valid_mae)
        values = [number(float(np.mean(errors))) for errors in by_epoch.values()]
        data.append(line(name, list(by_epoch), values, COLORS[place % len(COLORS)]))
    return Panel(
        caption="Validation error",
        description="By epoch, mean over the seeds that were still training.",
        data=data,
        layout=axes("epoch", "") | {"showlegend": True},
    )


def _range(values: Sequence[float]) -> str:
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "not defined"
    low, high = f"{min(known):.4g}", f"{max(known):.4g}"
    return low if low == high else f"{low} to {high}"
