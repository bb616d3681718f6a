"""The matrix of probes as a figure."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.synthetic.benchmark_run import BenchmarkRun
from pipeline.synthetic.probe_matrix import ProbeMatrix

Floats = npt.NDArray[np.float64]


def draw_heat_map(runs: Sequence[BenchmarkRun]) -> Figure:
    """Draw what each part of each contender tells of each group of factors.

    Parameters
    ----------
    runs : sequence of BenchmarkRun
        Of any contenders and seeds; failed ones are left out.

    Returns
    -------
    Figure
        A row of panels a contender, linear probes on the left and perceptrons on the right: R^2,
        mean over seeds.
    """
    cards: dict[str, list[ProbeMatrix]] = {}
    for run in runs:
        if run.card is not None:
            cards.setdefault(run.contender, []).append(run.card.probes)
    heights = [max(len(found[0].linear), 3) for found in cards.values()] or [3]
    figure = Figure(figsize=(13, 0.33 * sum(heights) + 1.6 * len(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 2, squeeze=False, gridspec_kw={"height_ratios": heights})
    for (name, found), row in zip(cards.items(), panels, strict=False):
        for kind, panel in zip(("linear", "perceptron"), row, strict=True):
            _draw_matrix(panel, [getattr(probes, kind) for probes in found])
            panel.set_title(f"{name}, {kind} probes, {len(found)} seed(s)")
    return figure


def _draw_matrix(panel: Axes, matrices: Sequence[dict[str, dict[str, float]]]) -> None:
    rows, columns = list(matrices[0]), list(next(iter(matrices[0].values())))
    values = np.mean([[[m[r][c] for c in columns] for r in rows] for m in matrices], axis=0)
    panel.imshow(values, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    labels = [column.replace("_", "\n") for column in columns]
    panel.set_xticks(range(len(columns)), labels, fontsize=7)
    panel.set_yticks(range(len(rows)), rows, fontsize=8)
    for (row, column), value in np.ndenumerate(values):
        # dark cells need light digits
        color = "white" if value < 0.6 else "black"
        panel.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, fontsize=7)
