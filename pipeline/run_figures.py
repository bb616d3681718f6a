"""The figures in a run's folder."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from pipeline.figures import draw_confusion, draw_labels, draw_losses, draw_scatter
from pipeline.report import RunReport
from pipeline.run_predictions import Floats, Predictions


def run_figures(
    report: RunReport,
    predictions: Predictions,
    targets: Mapping[str, tuple[npt.NDArray[np.int64], Floats]],
) -> dict[str, Figure]:
    """Draw what :func:`pipeline.figures.figure_titles` names.

    Parameters
    ----------
    report : RunReport
        Of the run.
    predictions : Predictions
        Of all splits.
    targets : mapping of str to (ndarray of int64, ndarray of float64)
        Split to the rows of its labelled utterances, and their labels.

    Returns
    -------
    dict of str to Figure
        By name.
    """
    rows, target = targets["test"]
    task = report.task
    labels = {on: task.target(values) for on, (_, values) in targets.items()}
    drawn = {
        "losses": draw_losses(report.seeds, error="error" if task.classes else "MAE"),
        "labels": draw_labels(labels, names=task.classes, label_range=report.label_range),
    }
    if task.classes:
        together = predictions.together[rows]
        drawn["confusion"] = draw_confusion(
            target=labels["test"], predicted=together, names=task.classes
        )
        return drawn
    shown = {seed: scores[rows] for seed, scores in predictions.by_seed.items()}
    drawn["scatter"] = draw_scatter(
        target=target, predictions=shown, label_range=report.label_range
    )
    return drawn
