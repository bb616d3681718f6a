"""Figures of predictions: against the labels, their errors, confusions."""

from collections.abc import Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from pipeline.plotly_traces import Floats, axes, heat, line, points
from pipeline.report_blocks import Panel

# Rows of a confusion whose names are not written over each other.
_MOST_IN_A_SMALL_FIGURE = 10


def prediction_panels(
    *, target: Floats, prediction: Floats, hints: Sequence[str], scale: float
) -> tuple[Panel, ...]:
    """Draw predictions against labels, their errors, and which classes are taken for which.

    Parameters
    ----------
    target, prediction : ndarray, shape (n,)
        Labels and the seeds' mean predictions.
    hints : sequence of str, length n
        What is told of each utterance.
    scale : float
        Labels lie in ``[-scale, scale]``; 3 or 1.

    Returns
    -------
    tuple of Panel
        Scatter, residuals, confusion of rounded scores.
    """
    residual = prediction - target
    ends = [
        float(min(-scale, target.min(), prediction.min())),
        float(max(scale, target.max(), prediction.max())),
    ]
    perfect = {
        **line("perfect", ends, ends, "#888888"),
        "hoverinfo": "skip",
        "line": {"dash": "dot", "width": 1, "color": "#888888"},
    }
    text = [escape(hint) for hint in hints]
    scatter = Panel(
        caption="Predicted against labelled",
        description=f"{len(target)} test utterances, mean prediction of the seeds; the dotted line "
        "is perfect.",
        data=[perfect, points(target, prediction, text)],
        layout=axes("label", "prediction"),
    )
    errors = Panel(
        caption="Residuals",
        description=f"Prediction minus label by label: mean {residual.mean():+.3f}, standard "
        f"deviation {residual.std():.3f}.",
        data=[
            {**perfect, "x": ends, "y": [0, 0], "name": "no error"},
            points(target, residual, text),
        ],
        layout=axes("label", "prediction minus label"),
    )
    if scale == 3:
        names = [f"{value:+d}" if value else "0" for value in range(-3, 4)]
        rounded = [
            np.rint(np.clip(one, -3, 3)).astype(np.int64) + 3 for one in (target, prediction)
        ]
        return scatter, errors, confusion_panel(*rounded, names=names)
    # in single precision, as MMSA cuts
    cuts = np.array([-0.7, -0.1, 0.1, 0.7], np.float32)
    names = ["≤ −0.7", "≤ −0.1", "≤ 0.1", "≤ 0.7", "> 0.7"]
    classes = [np.searchsorted(cuts, one.astype(np.float32)) for one in (target, prediction)]
    return scatter, errors, confusion_panel(*classes, names=names)


def confusion_panel(
    true: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], *, names: Sequence[str]
) -> Panel:
    """Draw how often each class was taken for each.

    Parameters
    ----------
    true, predicted : ndarray of int64, shape (n,)
        Class numbers.
    names : sequence of str
        Of the classes.

    Returns
    -------
    Panel
        A heat map with the counts.
    """
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (true, predicted), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    hits = int(np.trace(counts))
    layout = axes("predicted class", "labelled class")
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"type": "category", "showgrid": False, "dtick": 1}
    layout["yaxis"] |= {"autorange": "reversed", "automargin": True}
    layout["yaxis"]["title"]["standoff"] = 12
    large = len(names) > _MOST_IN_A_SMALL_FIGURE
    return Panel(
        caption="Confusion",
        description=f"Utterances by labelled and predicted class; {hits} of {len(true)} on the "
        "diagonal. Colour: share of the labelled class.",
        data=[
            heat(
                share,
                names=(list(names), list(names)),
                # among hundreds of cells zeros hide the rest
                text=[[str(n) if n or not large else "" for n in row] for row in counts.tolist()],
                bounds=(0.0, 1.0),
            )
        ],
        layout=layout,
        large=large,
    )
