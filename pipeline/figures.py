"""Figures of a run."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.atomic import write_bytes
from pipeline.records import LABEL_RANGE
from pipeline.report import SeedReport

Floats = npt.NDArray[np.float64]

#: The files and what they show.
FIGURES = {
    "losses": "Loss terms on the training split and validation MAE, by epoch",
    "scatter": "Predicted against true sentiment on the test split",
    "labels": "Labels by split",
}


def draw_losses(seeds: tuple[SeedReport, ...]) -> Figure:
    """Draw every loss term and the validation error by epoch.

    Parameters
    ----------
    seeds : tuple of SeedReport
        At least one; a line each.

    Returns
    -------
    Figure
        One panel a term, the last for the validation error with the selected epochs marked.
    """
    terms = list(seeds[0].history[0].terms)
    columns = min(len(terms) + 1, 4)
    rows = -(-(len(terms) + 1) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.7 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, term in zip(panels, terms, strict=False):
        for seed in seeds:
            panel.plot([record.terms[term] for record in seed.history], lw=1.2)
        weight = seeds[0].history[0].weights[term]
        panel.set(title=term.replace("_", " "), xlabel="epoch", ylabel=f"train, weight {weight:g}")
    _draw_validation(panels[len(terms)], seeds)
    for panel in panels[: len(terms) + 1]:
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    for panel in panels[len(terms) + 1 :]:
        panel.set_axis_off()
    figure.legend(
        *panels[len(terms)].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=6,
        frameon=False,
    )
    return figure


def _draw_validation(panel: Axes, seeds: tuple[SeedReport, ...]) -> None:
    for seed in seeds:
        errors = [record.valid_mae for record in seed.history]
        (line,) = panel.plot(errors, lw=1.2, label=f"seed {seed.seed}")
        panel.plot(seed.best_epoch, errors[seed.best_epoch], "o", color=line.get_color(), ms=6)
    panel.set(title="valid (dot: selected epoch)", xlabel="epoch", ylabel="MAE")
    panel.set_ylim(bottom=0)


def draw_scatter(*, target: Floats, predictions: Mapping[int, Floats]) -> Figure:
    """Draw predicted against true sentiment.

    Parameters
    ----------
    target : ndarray, shape (n,)
        Labels.
    predictions : mapping of int to ndarray, shape (n,)
        Seed to scores.

    Returns
    -------
    Figure
        Small dots for the seeds, large ones for their mean.
    """
    figure = Figure(figsize=(5, 5), layout="constrained")
    panel = figure.subplots()
    stacked = np.stack(list(predictions.values()))
    low, high = LABEL_RANGE[0] - 0.3, LABEL_RANGE[1] + 0.3
    panel.plot([low, high], [low, high], color="0.6", lw=1, label="perfect")
    panel.axhline(0, color="0.85", lw=0.8, zorder=0)
    panel.axvline(0, color="0.85", lw=0.8, zorder=0)
    panel.plot(
        np.tile(target, len(stacked)),
        stacked.ravel(),
        ".",
        color="0.7",
        ms=4,
        label=f"{len(stacked)} seed(s)",
    )
    panel.plot(target, stacked.mean(axis=0), "o", color="C0", ms=5, label="mean of seeds")
    panel.set(
        xlabel="true sentiment (-3 to 3)",
        ylabel="predicted sentiment",
        title=f"Test split, {len(target)} utterances",
        xlim=(low, high),
        ylim=(min(low, stacked.min() - 0.3), max(high, stacked.max() + 0.3)),
    )
    panel.legend(loc="upper left", frameon=True)
    return figure


def draw_labels(labels: Mapping[str, Floats]) -> Figure:
    """Draw how labels are distributed over the splits.

    Parameters
    ----------
    labels : mapping of str to ndarray, shape (n,)
        Split to labels.

    Returns
    -------
    Figure
        One histogram a split, bars one unit wide around the integers as in Acc-7.
    """
    figure = Figure(figsize=(3.2 * len(labels), 2.8), layout="constrained")
    panels = figure.subplots(1, len(labels), squeeze=False, sharex=True).ravel()
    classes = np.arange(LABEL_RANGE[0], LABEL_RANGE[1] + 1)
    for panel, (name, values) in zip(panels, labels.items(), strict=True):
        panel.bar(classes, [(np.rint(values) == c).sum() for c in classes], width=0.85)
        panel.set(title=f"{name} ({len(values)})", xlabel="sentiment, rounded", xticks=classes)
        panel.yaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel("utterances")
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG, atomically.

    Parameters
    ----------
    figure : Figure
        What to write.
    path : Path
        Where to.
    """
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=120)
    write_bytes(path, stream.getvalue())
