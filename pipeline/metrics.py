"""Sentiment metrics as the literature computes them."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator
from torch import Tensor

from pipeline.errors import DataError
from pipeline.score_totals import (
    Booleans,
    Floats,
    Scoring,
    confusion_scores,
    confusion_summands,
    moment_summands,
    pearson,
)

#: Which utterances count: all, or those whose target is not 0, as the code of MIRD does it.
Subset = Literal["all", "nonzero"]


def _null_as_nan(value: Any) -> Any:
    return float("nan") if value is None else value


#: A number that may be NaN; files hold null then, since JSON knows no NaN.
Score = Annotated[float, BeforeValidator(_null_as_nan)]


@dataclass(frozen=True, kw_only=True)
class SentimentMetrics:
    """How well scores from -3 to 3 were predicted.

    Parameters
    ----------
    mae : float
        Mean absolute error, nothing clipped, >= 0.
    correlation : float
        Pearson's r, -1 to 1; NaN if predictions or targets are constant.
    accuracy_2_has0, f1_has0 : float
        Accuracy and weighted F1 of negative against not negative (``>= 0``), 0 to 1.
    accuracy_2_non0, f1_non0 : float
        Accuracy and weighted F1 of negative against positive (``> 0``) where the target is not 0,
        0 to 1; NaN if every target is 0.
    accuracy_7, accuracy_5, accuracy_3 : float
        Share of utterances whose prediction and target, clipped to -3 and 3, -2 and 2, -1 and 1,
        round to the same integer, halves to even; 0 to 1. NaN for the last two in reports from
        before they were computed.
    f1_swapped_has0, f1_swapped_non0 : float
        Weighted F1 as the published code of MISA, MulT and MInD computes it, predictions taken for
        the truth: weighted by the predicted classes. Only for a comparison with their papers.
    n, n_nonzero : int
        Utterances, and those whose target is not 0.
    """

    mae: Score
    correlation: Score
    accuracy_2_has0: Score
    f1_has0: Score
    accuracy_2_non0: Score
    f1_non0: Score
    accuracy_7: Score
    accuracy_5: Score = math.nan
    accuracy_3: Score = math.nan
    f1_swapped_has0: Score = math.nan
    f1_swapped_non0: Score = math.nan
    n: int
    n_nonzero: int


#: The fields that are scores, not counts, in the order of a table's columns.
METRIC_NAMES = (
    "mae",
    "correlation",
    "accuracy_2_has0",
    "accuracy_2_non0",
    "f1_has0",
    "f1_non0",
    "accuracy_7",
    "accuracy_5",
    "accuracy_3",
    "f1_swapped_has0",
    "f1_swapped_non0",
)


def sentiment_metrics(
    *,
    prediction: npt.ArrayLike | Tensor,
    target: npt.ArrayLike | Tensor,
    subset: Subset = "all",
) -> SentimentMetrics:
    """Compare predictions with targets.

    Parameters
    ----------
    prediction, target : array_like or Tensor, shape (n,)
        Sentiment scores, finite.
    subset : {"all", "nonzero"}
        ``nonzero`` leaves utterances with a target of 0 out of everything; has0 is then what the
        code of MIRD prints.

    Returns
    -------
    SentimentMetrics
        In both conventions of binary accuracy.

    Raises
    ------
    DataError
        If there are no utterances, the shapes differ, or a value is not finite.
    """
    p, y = checked_pair(prediction, target)
    if subset == "nonzero":
        p, y = checked_pair(p[y != 0], y[y != 0])
    return SentimentMetrics(**SENTIMENT.score(p, y), n=len(y), n_nonzero=int(np.count_nonzero(y)))


def checked_pair(
    prediction: npt.ArrayLike | Tensor, target: npt.ArrayLike | Tensor
) -> tuple[Floats, Floats]:
    """Make arrays of predictions and targets.

    Parameters
    ----------
    prediction, target : array_like or Tensor, shape (n,)
        From any device.

    Returns
    -------
    prediction, target : ndarray of float64, shape (n,)
        The same numbers.

    Raises
    ------
    DataError
        If there are no utterances, the shapes differ, or a value is not finite.
    """
    p, y = (
        np.asarray(x.detach().cpu() if isinstance(x, Tensor) else x, np.float64)
        for x in (prediction, target)
    )
    if p.shape != y.shape or p.ndim != 1 or not len(y):
        raise DataError(
            f"metrics need predictions and targets of one shape (n,) with n >= 1, got {p.shape} "
            f"and {y.shape}"
        )
    for what, values in (("predictions", p), ("targets", y)):
        wrong = int((~np.isfinite(values)).sum())
        if wrong:
            raise DataError(f"{wrong} of {len(values)} {what} are not finite; leave them out")
    return p, y


def _totals(p: Floats, y: Floats) -> dict[str, Floats]:
    nonzero = y != 0
    same = [np.rint(np.clip(p, -c, c)) == np.rint(np.clip(y, -c, c)) for c in (3, 2, 1)]
    return {
        "n": np.ones(len(y)),
        "absolute_error": np.abs(p - y),
        "moments": moment_summands(p, y),
        "has0": _binary(true=y >= 0, predicted=p >= 0),
        "non0": _binary(true=y > 0, predicted=p > 0) * nonzero[:, None, None],
        "same": np.stack(same, axis=1).astype(np.float64),
    }


def _binary(*, true: Booleans, predicted: Booleans) -> Floats:
    return confusion_summands(
        true=true.astype(np.int64), predicted=predicted.astype(np.int64), classes=2
    )


def _scores(sums: dict[str, Floats]) -> dict[str, Floats]:
    has0, non0 = (confusion_scores(sums[name]) for name in ("has0", "non0"))
    n = sums["n"]
    return {
        "mae": sums["absolute_error"] / n,
        "correlation": pearson(sums["moments"]),
        "accuracy_2_has0": has0.accuracy,
        "accuracy_2_non0": non0.accuracy,
        "f1_has0": has0.f1_weighted,
        "f1_non0": non0.f1_weighted,
        "accuracy_7": sums["same"][..., 0] / n,
        "accuracy_5": sums["same"][..., 1] / n,
        "accuracy_3": sums["same"][..., 2] / n,
        "f1_swapped_has0": has0.f1_swapped,
        "f1_swapped_non0": non0.f1_swapped,
    }


#: The metrics of scores from -3 to 3.
SENTIMENT = Scoring(totals=_totals, scores=_scores)
