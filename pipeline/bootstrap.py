"""How far scores would move with other test clips: the bootstrap over clips."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import DataError
from pipeline.metrics import SENTIMENT, Score, checked_pair
from pipeline.score_totals import Floats, Scoring


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """How to resample.

    Parameters
    ----------
    resamples : int
        How many, >= 1.
    level : float
        Share of the resampled scores that an interval holds, 0 to 1 without both.
    seed : int
        Of the draws; the same seed draws the same clips for every metric and prediction.

    Raises
    ------
    DataError
        If a value is outside its range.
    """

    resamples: int = 2000
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.resamples < 1 or not 0 < self.level < 1:
            raise DataError(
                f"bootstrap: {self.resamples} resamples at level {self.level}; choose 1 or more "
                "resamples and a level between 0 and 1"
            )


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A percentile interval.

    Parameters
    ----------
    low, high : float
        Its ends; NaN if the score is defined in no resample, or there are fewer than two clips.
    """

    low: Score
    high: Score


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One metric of two predictions of the same utterances.

    Parameters
    ----------
    difference : float
        The first's minus the second's, on the utterances as they are.
    interval : Interval
        Of the difference.
    p_value : float
        Two-sided: twice the smaller share of resamples on one side of 0, those at 0 on both; 0 to
        1, NaN like the interval.
    """

    difference: Score
    interval: Interval
    p_value: Score


def bootstrap_intervals(
    *,
    predictions: npt.ArrayLike,
    target: npt.ArrayLike,
    clips: Sequence[str],
    scoring: Scoring = SENTIMENT,
    bootstrap: Bootstrap = Bootstrap(),
) -> dict[str, Interval]:
    """Give every metric an interval by drawing whole clips with replacement.

    Utterances of one clip share speaker, room and camera, and so their errors: drawn one by one
    they would pass for more evidence than they are.

    Parameters
    ----------
    predictions : array_like, shape (n,) or (s, n)
        Scores, finite; of several seeds the metrics are averaged in every resample.
    target : array_like, shape (n,)
        True scores, finite.
    clips : sequence of str, length n
        Which clip each utterance is of.
    scoring : Scoring
        Which metrics.
    bootstrap : Bootstrap
        How to resample.

    Returns
    -------
    dict of str to Interval
        Percentile intervals, by metric. Resamples in which a metric is not defined do not count.

    Raises
    ------
    DataError
        If there are no utterances, shapes differ, or a value is not finite.

    Notes
    -----
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3, with clips as the
    units (Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8).
    """
    owner, draws = _draw(clips, bootstrap)
    resampled = _resampled(predictions, target, owner, draws, scoring)
    return {name: _interval(values, bootstrap.level) for name, values in resampled.items()}


def paired_bootstrap(
    *,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    target: npt.ArrayLike,
    clips: Sequence[str],
    scoring: Scoring = SENTIMENT,
    bootstrap: Bootstrap = Bootstrap(),
) -> dict[str, Difference]:
    """Compare two predictions of the same utterances, both on the same resampled clips.

    Parameters
    ----------
    first, second : array_like, shape (n,) or (s, n)
        Scores, finite; the numbers of seeds may differ.
    target : array_like, shape (n,)
        True scores, finite.
    clips : sequence of str, length n
        Which clip each utterance is of.
    scoring : Scoring
        Which metrics.
    bootstrap : Bootstrap
        How to resample.

    Returns
    -------
    dict of str to Difference
        By metric.

    Raises
    ------
    DataError
        If there are no utterances, shapes differ, or a value is not finite.
    """
    owner, draws = _draw(clips, bootstrap)
    once = np.ones((1, draws.shape[1]))
    ones, twos = (_resampled(p, target, owner, draws, scoring) for p in (first, second))
    one, two = (_resampled(p, target, owner, once, scoring) for p in (first, second))
    found = {}
    for name, values in ones.items():
        differences = values - twos[name]
        found[name] = Difference(
            difference=float(one[name][0] - two[name][0]),
            interval=_interval(differences, bootstrap.level),
            p_value=_p_value(differences),
        )
    return found


def _draw(clips: Sequence[str], bootstrap: Bootstrap) -> tuple[npt.NDArray[np.int64], Floats]:
    """Give every utterance its clip's number, (n,), and count the draws, (resamples, clips)."""
    owner = np.unique(np.asarray(clips, dtype=np.str_), return_inverse=True)[1]
    count = int(owner.max(initial=-1)) + 1
    if count < 2:
        # every resample would be the sample: no interval, not one of no width
        return owner, np.zeros((0, count))
    generator = np.random.default_rng(bootstrap.seed)
    drawn = generator.integers(count, size=(bootstrap.resamples, count))
    drawn += count * np.arange(bootstrap.resamples)[:, None]
    draws = np.bincount(drawn.ravel(), minlength=bootstrap.resamples * count)
    return owner, draws.reshape(bootstrap.resamples, count).astype(np.float64)


def _resampled(
    predictions: npt.ArrayLike,
    target: npt.ArrayLike,
    owner: npt.NDArray[np.int64],
    draws: Floats,
    scoring: Scoring,
) -> dict[str, Floats]:
    """Every metric's mean over the seeds in every resample, shape (resamples,)."""
    seeds = np.atleast_2d(np.asarray(predictions, np.float64))
    scores: dict[str, Floats] = {}
    for prediction in seeds:
        p, y = checked_pair(prediction, target)
        if len(y) != len(owner):
            raise DataError(f"bootstrap: {len(y)} utterances, but clips of {len(owner)}")
        sums = {
            name: np.tensordot(draws, _by_clip(value, owner, draws.shape[1]), axes=1)
            for name, value in scoring.totals(p, y).items()
        }
        for name, value in scoring.scores(sums).items():
            scores[name] = scores.get(name, 0.0) + value / len(seeds)
    return scores


def _by_clip(summands: Floats, owner: npt.NDArray[np.int64], clips: int) -> Floats:
    sums = np.zeros((clips, *summands.shape[1:]))
    np.add.at(sums, owner, summands)
    return sums


def _interval(values: Floats, level: float) -> Interval:
    known = values[np.isfinite(values)]
    if not len(known):
        return Interval(low=np.nan, high=np.nan)
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high))


def _p_value(differences: Floats) -> float:
    known = differences[np.isfinite(differences)]
    if not len(known):
        return float("nan")
    # the sample itself counts as a resample, so that no finite number of draws proves anything
    tails = [(1 + (known <= 0).sum()), (1 + (known >= 0).sum())]
    return float(min(1.0, 2 * min(tails) / (1 + len(known))))
