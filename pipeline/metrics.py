"""Sentiment metrics as the literature computes them."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BeforeValidator
from torch import Tensor
from torchmetrics.functional.classification import multiclass_f1_score

from pipeline.errors import DataError

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


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
    accuracy_7 : float
        Share of utterances whose prediction and target, clipped to -3 and 3, round to the same
        integer, halves to even; 0 to 1.
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
)


def sentiment_metrics(
    *, prediction: npt.ArrayLike | Tensor, target: npt.ArrayLike | Tensor
) -> SentimentMetrics:
    """Compare predictions with targets.

    Parameters
    ----------
    prediction, target : array_like or Tensor, shape (n,)
        Sentiment scores, finite.

    Returns
    -------
    SentimentMetrics
        In both conventions of binary accuracy.

    Raises
    ------
    DataError
        If there are no utterances, the shapes differ, or a value is not finite.
    """
    p, y = _checked(prediction, target)
    nonzero = y != 0
    accuracy_2_has0, f1_has0 = _binary(predicted=p >= 0, true=y >= 0)
    accuracy_2_non0, f1_non0 = _binary(predicted=p[nonzero] > 0, true=y[nonzero] > 0)
    return SentimentMetrics(
        mae=float(np.abs(p - y).mean()),
        correlation=_pearson(p, y),
        accuracy_2_has0=accuracy_2_has0,
        f1_has0=f1_has0,
        accuracy_2_non0=accuracy_2_non0,
        f1_non0=f1_non0,
        accuracy_7=float((np.rint(np.clip(p, -3, 3)) == np.rint(np.clip(y, -3, 3))).mean()),
        n=len(y),
        n_nonzero=int(nonzero.sum()),
    )


def _checked(
    prediction: npt.ArrayLike | Tensor, target: npt.ArrayLike | Tensor
) -> tuple[Floats, Floats]:
    p, y = (np.asarray(torch.as_tensor(x).cpu(), np.float64) for x in (prediction, target))
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


def _pearson(p: Floats, y: Floats) -> float:
    if np.ptp(p) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(p, y)[0, 1])


def _binary(*, predicted: Booleans, true: Booleans) -> tuple[float, float]:
    """Accuracy and F1 weighted by the true classes' support; NaN for no utterances."""
    if not len(true):
        return float("nan"), float("nan")
    f1 = multiclass_f1_score(
        torch.from_numpy(predicted).long(),
        torch.from_numpy(true).long(),
        num_classes=2,
        average="weighted",
    )
    return float((predicted == true).mean()), float(f1)
