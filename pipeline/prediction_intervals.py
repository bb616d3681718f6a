"""How far a prediction may be off: over seeds of the training, and from the label itself."""

import math

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from pipeline.errors import DataError

Floats = npt.NDArray[np.float64]


def seed_interval(*, by_seed: npt.ArrayLike, level: float = 0.95) -> tuple[Floats, Floats] | None:
    """Bound the mean prediction that infinitely many seeds would give.

    Student's t interval, ``mean ± t sd / sqrt(s)`` with s - 1 degrees of freedom. It tells how much
    hangs on the seed; how far the label may be away is :func:`conformal_radius`.

    Parameters
    ----------
    by_seed : array_like, shape (s, n)
        Predictions of n utterances by s seeds.
    level : float
        Probability, 0 to 1 without both.

    Returns
    -------
    low, high : ndarray of float64, shape (n,)
        Ends; None for a single seed, which says nothing of others.

    Raises
    ------
    DataError
        If the level is not between 0 and 1.
    """
    check_level(level)
    scores = np.asarray(by_seed, np.float64)
    seeds = len(scores)
    if seeds < 2:
        return None
    quantile = float(stdtrit(seeds - 1, (1 + level) / 2))
    half = quantile * scores.std(axis=0, ddof=1) / math.sqrt(seeds)
    mean = scores.mean(axis=0)
    return mean - half, mean + half


def conformal_radius(*, residuals: npt.ArrayLike, level: float = 0.95) -> float:
    """Tell within which distance of a prediction its label lies.

    Split conformal prediction: the ``ceil((n + 1) level)``-th smallest absolute residual of n
    utterances that the model was not trained on. If they and a new one are exchangeable, the new
    label lies within this distance with at least that probability, whatever the model and the
    distribution. Utterances of one clip resemble each other and the validation split has selected
    the epoch, so that in practice it is a little less.

    Parameters
    ----------
    residuals : array_like, shape (n,)
        Label minus prediction, finite.
    level : float
        Probability, 0 to 1 without both.

    Returns
    -------
    float
        Distance >= 0; infinite if n is too small for the level, below 19 for 0.95.

    Raises
    ------
    DataError
        If the level is not between 0 and 1, or a residual is not finite.

    References
    ----------
    Lei, G'Sell, Rinaldo, Tibshirani, Wasserman: Distribution-free predictive inference for
    regression, JASA 113 (2018), algorithm 2 and theorem 2.
    """
    check_level(level)
    sizes = np.sort(np.abs(np.asarray(residuals, np.float64)))
    if not np.isfinite(sizes).all():
        raise DataError("conformal interval: a residual is not finite; leave it out")
    # the least integer that is not below, but for the rounding of a product such as 20 * 0.95
    rank = math.ceil((len(sizes) + 1) * level - 1e-9)
    return math.inf if rank > len(sizes) else float(sizes[rank - 1])


def conformal_set(*, probabilities: npt.ArrayLike, radius: float) -> npt.NDArray[np.bool_]:
    """Tell among which classes the true one is.

    Split conformal prediction again, with ``1 - p`` of the true class for a residual: all classes
    whose probability lacks no more than the radius to 1. The most probable one is always among
    them, which makes the set larger where it would be empty, and never less certain.

    Parameters
    ----------
    probabilities : array_like, shape (n, classes)
        Of n utterances.
    radius : float
        The :func:`conformal_radius` of ``1 - p``, finite.

    Returns
    -------
    ndarray of bool, shape (n, classes)
        Which classes are in.

    References
    ----------
    Sadinle, Lei, Wasserman: Least ambiguous set-valued classifiers with bounded error levels, JASA
    114 (2019), section 3; Vovk, Gammerman, Shafer: Algorithmic learning in a random world (2005).
    """
    likely = np.asarray(probabilities, np.float64)
    most = likely == likely.max(axis=1, keepdims=True)
    inside: npt.NDArray[np.bool_] = most | (1 - likely <= radius)
    return inside


def check_level(level: float) -> None:
    """Refuse what is no probability of an interval.

    Parameters
    ----------
    level : float
        Probability, 0 to 1 without both.

    Raises
    ------
    DataError
        If it is outside.
    """
    if not 0 < level < 1:
        raise DataError(f"interval: level {level} must be between 0 and 1, such as 0.95")
