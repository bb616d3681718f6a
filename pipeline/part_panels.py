"""Figures of a model's parts: maps and probes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.part_analysis import PartAnalysis
from pipeline.plotly_traces import Floats, axes, heat
from pipeline.report_blocks import Panel

# Shared, private and noise as in the paper's figure; told apart by shape, too.
_PARTS = {
    "S": ("shared S", "#0072b2", "circle"),
    "P": ("private P", "#d55e00", "diamond"),
    "N": ("noise N", "#009e73", "x"),
}
_STAGES = {"before": "before training", "after": "after training"}


def map_panels(analysis: PartAnalysis) -> tuple[Panel, ...]:
    """Draw where the parts of every modality lie, before and after training.

    Parameters
    ----------
    analysis : PartAnalysis
        Of a run.

    Returns
    -------
    tuple of Panel
        2 x 3 of them with three modalities, as in MInD's paper; none without maps.
    """
    panels = []
    for stage, by_name in analysis.maps.items():
        for name, parts in by_name.items():
            silhouette = analysis.silhouettes[stage][name]
            told = analysis.part_accuracy[stage][name]
            count = len(next(iter(parts.values())))
            layout = axes("", "") | {"showlegend": True, "margin": {"l": 8, "r": 8, "t": 8, "b": 8}}
            for axis in ("xaxis", "yaxis"):
                layout[axis] |= {"showticklabels": False, "zeroline": False}
            panels.append(
                Panel(
                    caption=f"{name}, {_STAGES[stage]}",
                    description=f"t-SNE of the parts of {count} utterances. Silhouette "
                    f"{silhouette:.3f}; a linear probe tells the part in {100 * told:.0f} %.",
                    data=[_part_points(part, places) for part, places in parts.items()],
                    layout=layout,
                )
            )
    return tuple(panels)


def _part_points(part: str, places: Sequence[tuple[float, float]]) -> dict[str, Any]:
    name, color, symbol = _PARTS[part]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "hoverinfo": "name",
        "marker": {"color": color, "symbol": symbol, "size": 5, "opacity": 0.7},
    }


def probe_panels(analysis: PartAnalysis) -> tuple[Panel, ...]:
    """Draw what linear probes read from the parts.

    Parameters
    ----------
    analysis : PartAnalysis
        Of a run.

    Returns
    -------
    tuple of Panel
        The label by part and modality, and the modality by part; those that there are.
    """
    panels = []
    if analysis.label_scores:
        parts = list(analysis.label_scores)
        names = list(next(iter(analysis.label_scores.values())))
        chance = analysis.label_chance
        kind = "R²" if chance is None else f"share of hits, by chance {chance:.2f}"
        panels.append(
            _matrix(
                f"Label from a part ({kind})",
                "How well a linear probe predicts the label from one part of one modality, or of "
                "all together, on clips that it was not fitted to.",
                np.array([[analysis.label_scores[p].get(n, np.nan) for n in names] for p in parts]),
                (parts, names),
            )
        )
    if analysis.modality_accuracy:
        parts = list(analysis.modality_accuracy)
        values = np.array([[analysis.modality_accuracy[part]] for part in parts])
        panels.append(
            _matrix(
                f"Modality from a part (share of hits, by chance {1 / analysis.modalities:.2f})",
                "How often a linear probe tells which modality a part is of: of a shared part no "
                "more often than by chance, if the modalities share it.",
                values,
                (parts, ["modality"]),
            )
        )
    return tuple(panels)


def _matrix(
    caption: str, description: str, values: Floats, names: tuple[list[str], list[str]]
) -> Panel:
    text = [["–" if value != value else f"{value:.2f}" for value in row] for row in values.tolist()]
    layout = axes("", "")
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"type": "category", "showgrid": False}
    layout["yaxis"]["autorange"] = "reversed"
    cells = heat(values, names=(names[1], names[0]), text=text, bounds=(0.0, 1.0))
    return Panel(caption=caption, description=description, data=[cells], layout=layout)
