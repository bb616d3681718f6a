"""Metrics of CH-SIMS."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from pipeline.metrics import Score, checked_pair
from pipeline.score_totals import (
    Floats,
    Scoring,
    confusion_scores,
    confusion_summands,
    moment_summands,
    pearson,
)

# Classes end at these values, which belong to the class below. In single precision, like stored
# labels: as a double the single 0.1 is above the double 0.1.
_CUTS = {
    classes: np.array(cuts, np.float32)
    for classes, cuts in ((2, (0.0,)), (3, (-0.1, 0.1)), (5, (-0.7, -0.1, 0.1, 0.7)))
}


@dataclass(frozen=True, kw_only=True)
class SimsMetrics:
    """How well scores from -1 to 1 were predicted, everything clipped to that range first.

    Parameters
    ----------
    mae : float
        Mean absolute error, 0 to 2.
    correlation : float
        Pearson's r, -1 to 1; NaN if predictions or targets are constant.
    accuracy_2, f1 : float
        Accuracy and weighted F1 of [-1, 0] against (0, 1], 0 to 1.
    accuracy_3, accuracy_5 : float
        Accuracy of three classes divided at -0.1 and 0.1, and of five divided at -0.7 and 0.7
        besides; what lies on a division belongs below. 0 to 1.
    n : int
        Utterances.
    """

    mae: Score
    correlation: Score
    accuracy_2: Score
    f1: Score
    accuracy_3: Score
    accuracy_5: Score
    n: int


def sims_metrics(
    *, prediction: npt.ArrayLike | Tensor, target: npt.ArrayLike | Tensor
) -> SimsMetrics:
    """Compare predictions with targets as MMSA does for CH-SIMS.

    Parameters
    ----------
    prediction, target : array_like or Tensor, shape (n,)
        Sentiment scores, finite.

    Returns
    -------
    SimsMetrics
        Over all of them.

    Raises
    ------
    DataError
        If there are no utterances, the shapes differ, or a value is not finite.
    """
    p, y = checked_pair(prediction, target)
    return SimsMetrics(**SIMS.score(p, y), n=len(y))


def _totals(prediction: Floats, target: Floats) -> dict[str, Floats]:
    p, y = np.clip(prediction, -1, 1), np.clip(target, -1, 1)
    single_p, single_y = p.astype(np.float32), y.astype(np.float32)
    return {
        "n": np.ones(len(y)),
        "absolute_error": np.abs(p - y),
        "moments": moment_summands(p, y),
    } | {
        f"classes_{k}": confusion_summands(
            true=np.searchsorted(cuts, single_y),
            predicted=np.searchsorted(cuts, single_p),
            classes=k,
        )
        for k, cuts in _CUTS.items()
    }


def _scores(sums: dict[str, Floats]) -> dict[str, Floats]:
    two, three, five = (confusion_scores(sums[f"classes_{k}"]) for k in _CUTS)
    return {
        "mae": sums["absolute_error"] / sums["n"],
        "correlation": pearson(sums["moments"]),
        "accuracy_2": two.accuracy,
        "f1": two.f1_weighted,
        "accuracy_3": three.accuracy,
        "accuracy_5": five.accuracy,
    }


#: The metrics of scores from -1 to 1.
SIMS = Scoring(totals=_totals, scores=_scores)
