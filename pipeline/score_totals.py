"""Scores as functions of sums over utterances, so that thousands of resamples are one product."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

# Rounding leaves this share of a sum of squares where a resample repeats one value.
_ROUNDING = 1e-10


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """A family of metrics that depends on a sample through sums over its utterances alone.

    Parameters
    ----------
    totals : callable
        Predictions and targets, both of shape (n,), to named summands of shape (n, ...).
    scores : callable
        Named sums of shape (..., ...), with any leading axes, to named scores of the leading shape.
    """

    totals: Callable[[Floats, Floats], dict[str, Floats]]
    scores: Callable[[dict[str, Floats]], dict[str, Floats]]

    def score(self, prediction: Floats, target: Floats) -> dict[str, float]:
        """Score one sample.

        Parameters
        ----------
        prediction, target : ndarray, shape (n,)
            Finite, n >= 1.

        Returns
        -------
        dict of str to float
            NaN where a score is not defined.
        """
        sums = {name: value.sum(axis=0) for name, value in self.totals(prediction, target).items()}
        return {name: float(value) for name, value in self.scores(sums).items()}


class ConfusionScores(NamedTuple):
    """What follows from a confusion matrix; everything is NaN for an empty one.

    Attributes
    ----------
    accuracy : ndarray
        Share on the diagonal, 0 to 1.
    f1_weighted : ndarray
        F1 of the classes, weighted by how many truly are of each, 0 to 1.
    f1_swapped : ndarray
        The same with predictions taken for the truth: weighted by how many are predicted.
    f1_macro, precision_macro, recall_macro : ndarray
        Unweighted means over the classes that are true or predicted anywhere, 0 to 1; what would be
        0/0 is 0.
    """

    accuracy: Floats
    f1_weighted: Floats
    f1_swapped: Floats
    f1_macro: Floats
    precision_macro: Floats
    recall_macro: Floats


def confusion_summands(*, true: Integers, predicted: Integers, classes: int) -> Floats:
    """Write every utterance as a confusion matrix of its own.

    Parameters
    ----------
    true, predicted : ndarray of int64, shape (n,)
        From 0 to ``classes - 1``.
    classes : int
        How many, >= 2.

    Returns
    -------
    ndarray of float64, shape (n, classes, classes)
        1 at (true, predicted), otherwise 0.
    """
    summands = np.zeros((len(true), classes, classes))
    summands[np.arange(len(true)), true, predicted] = 1
    return summands


def confusion_scores(confusion: Floats) -> ConfusionScores:
    """Score confusion matrices.

    Parameters
    ----------
    confusion : ndarray of float64, shape (..., k, k)
        Counts of (true, predicted), k classes.

    Returns
    -------
    ConfusionScores
        Each of the leading shape.
    """
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support, called = confusion.sum(axis=-1), confusion.sum(axis=-2)
    count = support.sum(axis=-1)
    f1 = ratio(2 * hits, support + called, empty=0.0)
    there = (support + called > 0).sum(axis=-1)
    return ConfusionScores(
        accuracy=ratio(hits.sum(axis=-1), count),
        f1_weighted=ratio((support * f1).sum(axis=-1), count),
        f1_swapped=ratio((called * f1).sum(axis=-1), count),
        f1_macro=ratio(f1.sum(axis=-1), there),
        precision_macro=ratio(ratio(hits, called, empty=0.0).sum(axis=-1), there),
        recall_macro=ratio(ratio(hits, support, empty=0.0).sum(axis=-1), there),
    )


def moment_summands(first: Floats, second: Floats) -> Floats:
    """Prepare two samples for their correlation.

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        Finite, n >= 1.

    Returns
    -------
    ndarray of float64, shape (n, 6)
        1, both, their squares and their product, each sample shifted and scaled.
    """
    # near 0 and of size 1, since sums of squares far from 0 lose what they differ in; the median of
    # equal numbers is that number, which a mean need not be
    x, y = ((z - np.median(z)) / (np.ptp(z) or 1.0) for z in (first, second))
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)


def pearson(moments: Floats) -> Floats:
    """Correlate.

    Parameters
    ----------
    moments : ndarray, shape (..., 6)
        Sums of :func:`moment_summands`.

    Returns
    -------
    ndarray, shape (...)
        Pearson's r, -1 to 1; NaN where a sample is constant.
    """
    n, x, y, xx, yy, xy = np.moveaxis(moments, -1, 0)
    n = np.maximum(n, 1)
    spread_x, spread_y = xx - x * x / n, yy - y * y / n
    varies = (spread_x > _ROUNDING * xx) & (spread_y > _ROUNDING * yy)
    below = np.where(varies, np.sqrt(np.clip(spread_x * spread_y, 0, None)), 0.0)
    return np.clip(ratio(xy - x * y / n, below), -1, 1)


def ratio(above: npt.ArrayLike, below: npt.ArrayLike, *, empty: float = np.nan) -> Floats:
    """Divide where there is something to divide by.

    Parameters
    ----------
    above, below : array_like
        Of shapes that broadcast, ``below >= 0``.
    empty : float
        The value where ``below`` is 0.

    Returns
    -------
    ndarray of float64
        Quotients.
    """
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    quotient: Floats = np.divide(above, below, out=np.full(above.shape, empty), where=below > 0)
    return quotient
