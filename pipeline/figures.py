"""Figures of a run."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipeline.atomic import write_bytes
from pipeline.records import LABEL_RANGE
from pipeline.report import RunReport, SeedReport

Floats = npt.NDArray[np.float64]


def figure_titles(report: RunReport) -> dict[str, str]:
    """Say which figures there are of a run, and what they show.

    Parameters
    ----------
    report : RunReport
        Of a finished run.

    Returns
    -------
    dict of str to str
        File name without its suffix to what it shows.
    """
    shown, error = "Predicted against true sentiment", "MAE"
    if report.classes:
        shown, error = "Predicted by true class", "error"
    return {
        "losses": f"Loss terms on the training split and validation {error}, by epoch",
        "confusion" if report.classes else "scatter": f"{shown} on the test split",
        "labels": "Labels by split",
    }


def draw_losses(seeds: tuple[SeedReport, ...], *, error: str = "MAE") -> Figure:
    """Draw every loss term and the validation error by epoch.

    Parameters
    ----------
    seeds : tuple of SeedReport
        At least one; a line each.
    error : str
        Name of the validation error.

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
    _draw_validation(panels[len(terms)], seeds, error)
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


def _draw_validation(panel: Axes, seeds: tuple[SeedReport, ...], error: str) -> None:
    for seed in seeds:
        errors = [record.valid_mae for record in seed.history]
        (line,) = panel.plot(errors, lw=1.2, label=f"seed {seed.seed}")
        panel.plot(seed.best_epoch, errors[seed.best_epoch], "o", color=line.get_color(), ms=6)
    panel.set(title="valid (dot: selected epoch)", xlabel="epoch", ylabel=error)
    panel.set_ylim(bottom=0)


def draw_scatter(
    *,
    target: Floats,
    predictions: Mapping[int, Floats],
    label_range: tuple[float, float] = LABEL_RANGE,
) -> Figure:
    """Draw predicted against true sentiment.

    Parameters
    ----------
    target : ndarray, shape (n,)
        Labels.
    predictions : mapping of int to ndarray, shape (n,)
        Seed to scores.
    label_range : tuple of (float, float)
        Between which ends labels lie.

    Returns
    -------
    Figure
        Small dots for the seeds, large ones for their mean.
    """
    figure = Figure(figsize=(5, 5), layout="constrained")
    panel = figure.subplots()
    stacked = np.stack(list(predictions.values()))
    margin = 0.1 * label_range[1]
    low, high = label_range[0] - margin, label_range[1] + margin
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
        xlabel=f"true sentiment ({label_range[0]:g} to {label_range[1]:g})",
        ylabel="predicted sentiment",
        title=f"Test split, {len(target)} utterances",
        xlim=(low, high),
        ylim=(min(low, stacked.min() - margin), max(high, stacked.max() + margin)),
    )
    panel.legend(loc="upper left", frameon=True)
    return figure


def draw_confusion(*, target: Floats, predicted: Floats, names: Sequence[str]) -> Figure:
    """Draw how often each class was taken for each.

    Parameters
    ----------
    target, predicted : ndarray, shape (n,)
        Numbers of classes.
    names : sequence of str
        Of the classes.

    Returns
    -------
    Figure
        Counts, coloured by the share of the true class.
    """
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (target.astype(np.int64), predicted.astype(np.int64)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(2.5 + 0.36 * len(names),) * 2, layout="constrained")
    panel = figure.subplots()
    panel.imshow(share, cmap="Blues", vmin=0, vmax=1)
    places = range(len(names))
    panel.set(
        xlabel="predicted class",
        ylabel="true class",
        title=f"Test split, {len(target)} utterances",
        xticks=places,
        yticks=places,
        yticklabels=names,
    )
    panel.set_xticks(places, names, rotation=90)
    for row, column in np.argwhere(counts):
        color = "white" if share[row, column] > 0.5 else "black"
        panel.text(column, row, counts[row, column], ha="center", va="center", color=color, size=8)
    return figure


def draw_labels(
    labels: Mapping[str, Floats],
    *,
    names: Sequence[str] = (),
    label_range: tuple[float, float] = LABEL_RANGE,
) -> Figure:
    """Draw how labels are distributed over the splits.

    Parameters
    ----------
    labels : mapping of str to ndarray, shape (n,)
        Split to labels, or numbers of classes.
    names : sequence of str
        Of the classes, if they are some.
    label_range : tuple of (float, float)
        Between which ends other labels lie.

    Returns
    -------
    Figure
        One histogram a split: bars one unit wide around the integers as in Acc-7, of a range of
        less than that a fifth of a unit, or one bar a class.
    """
    step = 1.0 if label_range[1] > 1 else 0.2
    kinds = np.arange(np.rint(label_range[0] / step), np.rint(label_range[1] / step) + 1)
    ticks, title = (kinds if step == 1 else kinds[::5]) * step, "sentiment, rounded"
    if names:
        kinds, step, title = np.arange(len(names), dtype=np.float64), 1.0, ""
        ticks = kinds
    figure = Figure(figsize=(3.2 * len(labels), 4.0 if names else 2.8), layout="constrained")
    panels = figure.subplots(1, len(labels), squeeze=False, sharex=True).ravel()
    for panel, (split, values) in zip(panels, labels.items(), strict=True):
        numbers = np.rint(values / step)
        panel.bar(kinds * step, [(numbers == k).sum() for k in kinds], width=0.85 * step)
        panel.set(title=f"{split} ({len(values)})", xlabel=title, xticks=ticks)
        if names:
            panel.set_xticks(ticks, names, rotation=90, fontsize=7)
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
