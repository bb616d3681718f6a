"""A metric over seeds and over clips: mean, deviation and interval."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.bootstrap import Interval, bootstrap_intervals
from pipeline.metrics import Score, checked_pair
from pipeline.score_totals import Scoring


@dataclass(frozen=True, kw_only=True)
class SeedScores:
    """One metric of all seeds.

    Parameters
    ----------
    mean : float
        Mean over the seeds; NaN if it is not defined for one of them.
    sd : float
        Standard deviation over the seeds, n - 1 in the denominator; NaN for a single seed.
    interval : Interval
        95 % interval of the mean over other clips, by the bootstrap.
    """

    mean: Score
    sd: Score
    interval: Interval


def score_seeds(
    *, predictions: npt.ArrayLike, target: npt.ArrayLike, clips: Sequence[str], scoring: Scoring
) -> dict[str, SeedScores]:
    """Score all seeds.

    Parameters
    ----------
    predictions : array_like, shape (s, n)
        Scores or class numbers of s seeds.
    target : array_like, shape (n,)
        True ones.
    clips : sequence of str, length n
        Which clip each utterance is of.
    scoring : Scoring
        Which metrics.

    Returns
    -------
    dict of str to SeedScores
        By metric.

    Raises
    ------
    DataError
        If there are no utterances, shapes differ, or a value is not finite.
    """
    intervals = bootstrap_intervals(
        predictions=predictions, target=target, clips=clips, scoring=scoring
    )
    by_seed = [scoring.score(*checked_pair(p, target)) for p in np.atleast_2d(predictions)]
    return {
        name: SeedScores(**mean_and_sd([one[name] for one in by_seed]), interval=interval)
        for name, interval in intervals.items()
    }


def mean_and_sd(values: Sequence[float]) -> dict[str, float]:
    """Average over seeds.

    Parameters
    ----------
    values : sequence of float
        One a seed, at least one; NaN where it is not defined.

    Returns
    -------
    dict of str to float
        ``mean`` and ``sd``, the latter with n - 1 in the denominator. A NaN among the values makes
        both NaN, a single value the latter.
    """
    known = all(math.isfinite(value) for value in values)
    return {
        "mean": statistics.fmean(values) if known else math.nan,
        "sd": statistics.stdev(values) if known and len(values) > 1 else math.nan,
    }
