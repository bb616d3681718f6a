"""Traces and layouts of Plotly figures, as plain JSON values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Okabe and Ito's colours, which the colour-blind tell apart, in an order of contrast.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")


def heat(
    values: Floats,
    *,
    names: tuple[list[str], list[str]],
    text: list[list[str]],
    bounds: tuple[float, float],
) -> dict[str, Any]:
    """Make a heat map of numbers.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        NaN is left white.
    names : (list of str, list of str)
        Of the columns and of the rows.
    text : list of list of str
        What stands in the cells.
    bounds : (float, float)
        Values of the lightest and the darkest colour.

    Returns
    -------
    dict
        A trace.
    """
    return {
        "type": "heatmap",
        "x": names[0],
        "y": names[1],
        "z": [[number(value) for value in row] for row in values.tolist()],
        "text": text,
        "texttemplate": "%{text}",
        "hovertemplate": "%{y}, %{x}: %{text}<extra></extra>",
        "colorscale": [[0.0, "#f4f8fc"], [1.0, "#2b7bba"]],
        "zmin": bounds[0],
        "zmax": bounds[1],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
    }


def line(name: str, x: Sequence[float], y: Sequence[float | None], color: str) -> dict[str, Any]:
    """Make a line.

    Parameters
    ----------
    name : str
        What it is of.
    x, y : sequence of float
        Its points; None for a gap.
    color : str
        As CSS writes it.

    Returns
    -------
    dict
        A trace; a single point is drawn as such.
    """
    return {
        "type": "scatter",
        "mode": "lines" if len(x) > 1 else "markers",
        "name": name,
        "x": list(x),
        "y": list(y),
        "line": {"color": color, "width": 1.6},
    }


def points(x: Floats, y: Floats, text: Sequence[str]) -> dict[str, Any]:
    """Make points that tell what they are.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Where they are.
    text : sequence of str, length n
        What is told of each, markup escaped.

    Returns
    -------
    dict
        A trace.
    """
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "utterances",
        "x": np.round(x, 4).tolist(),
        "y": np.round(y, 4).tolist(),
        "text": list(text),
        "hovertemplate": "%{text}<br>(%{x:.2f}, %{y:.2f})<extra></extra>",
        "marker": {"color": COLORS[0], "size": 7, "opacity": 0.55},
    }


def axes(x: str, y: str) -> dict[str, Any]:
    """Make a layout without a legend.

    Parameters
    ----------
    x, y : str
        Titles of the axes, possibly empty.

    Returns
    -------
    dict
        A layout.
    """
    return {
        "showlegend": False,
        "xaxis": {"title": {"text": x}} if x else {},
        "yaxis": {"title": {"text": y}} if y else {},
    }


def number(value: float | None) -> float | None:
    """Round for a page.

    Parameters
    ----------
    value : float or None
        Any.

    Returns
    -------
    float or None
        Six digits; None for what is no finite number, which JSON does not know.
    """
    return None if value is None or not np.isfinite(value) else float(f"{value:.6g}")
