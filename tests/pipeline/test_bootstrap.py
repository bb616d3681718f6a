import math

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import f1_score

from pipeline.bootstrap import Bootstrap, Interval, bootstrap_intervals, paired_bootstrap
from pipeline.category_metrics import category_scoring
from pipeline.errors import DataError
from pipeline.metrics import METRIC_NAMES, sentiment_metrics

# of the absolute value of a standard normal variable
MEAN_ABSOLUTE = math.sqrt(2 / math.pi)
SD_ABSOLUTE = math.sqrt(1 - 2 / math.pi)


@pytest.fixture
def generator():
    return np.random.default_rng(3)


def names(count):
    return [f"clip{number}" for number in range(count)]


def test_normal_errors_have_the_standard_error_of_theory(generator):
    n = 4000
    errors = generator.normal(size=n)
    found = bootstrap_intervals(predictions=errors, target=np.zeros(n), clips=names(n))["mae"]
    standard_error = SD_ABSOLUTE / math.sqrt(n)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * standard_error, rel=0.1)
    assert (found.high + found.low) / 2 == pytest.approx(np.abs(errors).mean(), abs=1e-3)


def covered(*, clips, utterances, by_clip, generator, times=300):
    """How often the interval holds the true mean absolute error of normal errors."""
    owner = np.repeat(np.arange(clips), utterances)
    held = 0
    for number in range(times):
        errors = generator.normal(size=clips)[owner]
        found = bootstrap_intervals(
            predictions=errors,
            target=np.zeros(len(owner)),
            clips=[str(c) for c in (owner if by_clip else range(len(owner)))],
            bootstrap=Bootstrap(resamples=300, seed=number),
        )["mae"]
        held += found.low <= MEAN_ABSOLUTE <= found.high
    return held / times


def test_95_of_100_intervals_hold_the_truth(generator):
    # 300 trials of 0.95: a standard error of 0.013; percentile intervals are a little short
    assert 0.91 <= covered(clips=60, utterances=1, by_clip=True, generator=generator) <= 0.98


def test_utterances_of_one_clip_are_no_further_evidence(generator):
    """Five utterances with the error of their clip: drawn one by one they seem five clips."""
    arguments = {"clips": 40, "utterances": 5, "generator": generator, "times": 200}
    assert covered(by_clip=True, **arguments) >= 0.89
    # 1 / sqrt(5) of the width: 2 * Phi(1.96 / sqrt(5)) - 1
    assert covered(by_clip=False, **arguments) == pytest.approx(0.62, abs=0.1)


def test_equals_scipys_percentile_bootstrap(generator):
    y = generator.normal(size=150)
    p = y + generator.normal(size=150)
    expected = scipy_bootstrap(
        (p, y),
        lambda p, y: np.corrcoef(p, y)[0, 1],
        paired=True,
        vectorized=False,
        n_resamples=4000,
        method="percentile",
        random_state=generator,
    ).confidence_interval
    found = bootstrap_intervals(
        predictions=p, target=y, clips=names(150), bootstrap=Bootstrap(resamples=4000)
    )["correlation"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_every_resample_scores_the_drawn_clips(generator):
    """Against a loop that repeats the drawn clips' utterances and calls the metrics."""
    owner = generator.integers(0, 6, 40)
    y = np.rint(generator.normal(size=40))
    p = y + generator.normal(size=40)
    chosen = Bootstrap(resamples=50, level=0.8, seed=9)
    draws = np.random.default_rng(9).integers(6, size=(50, 6))
    scores = []
    for drawn in draws:
        rows = np.concatenate([np.flatnonzero(owner == clip) for clip in drawn])
        scores.append(sentiment_metrics(prediction=p[rows], target=y[rows]))
    found = bootstrap_intervals(
        predictions=p, target=y, clips=[str(c) for c in owner], bootstrap=chosen
    )
    assert set(found) == set(METRIC_NAMES)
    for name, interval in found.items():
        values = [getattr(one, name) for one in scores]
        assert (interval.low, interval.high) == pytest.approx(np.nanquantile(values, [0.1, 0.9]))


def test_seeds_are_averaged_within_a_resample(generator):
    target = np.zeros(30)
    error = generator.random(30) + 1
    # one seed errs by what the other leaves of 5, so that their mean is 2.5 in every resample
    found = bootstrap_intervals(predictions=[error, 5 - error], target=target, clips=names(30))
    assert (found["mae"].low, found["mae"].high) == pytest.approx((2.5, 2.5))


def test_the_same_seed_draws_the_same_clips(generator):
    p, y = generator.normal(size=(2, 20))
    arguments = {"predictions": p, "target": y, "clips": names(20)}
    first, again = (bootstrap_intervals(**arguments) for _ in range(2))
    other = bootstrap_intervals(**arguments, bootstrap=Bootstrap(seed=1))
    assert first == again
    assert first["mae"] != other["mae"]


def test_classes_have_intervals_too(generator):
    y = generator.integers(0, 3, 200)
    p = np.where(generator.random(200) < 0.6, y, generator.integers(0, 3, 200))
    found = bootstrap_intervals(
        predictions=p, target=y, clips=names(200), scoring=category_scoring(3)
    )
    assert found["f1"].low < f1_score(y, p, average="macro") < found["f1"].high


def test_one_clip_has_no_interval():
    found = bootstrap_intervals(predictions=[0.0, 1.0], target=[0.0, 0.5], clips=["a", "a"])
    assert all(math.isnan(interval.low) for interval in found.values())


def test_what_is_never_defined_has_no_interval():
    found = bootstrap_intervals(predictions=[1.0, 1.0], target=[0.0, 0.0], clips=["a", "b"])
    assert math.isnan(found["correlation"].high)
    assert math.isnan(found["f1_non0"].low)
    assert found["mae"] == Interval(low=1.0, high=1.0)


def test_a_clear_difference_and_none(generator):
    y = generator.normal(size=100)
    good, bad = y + generator.normal(size=(2, 100)) * [[0.3], [1.0]]
    found = paired_bootstrap(first=good, second=bad, target=y, clips=names(100))["mae"]
    assert found.difference == pytest.approx(np.abs(good - y).mean() - np.abs(bad - y).mean())
    assert found.interval.low < found.difference < found.interval.high < 0
    assert found.p_value < 0.01
    same = paired_bootstrap(first=good, second=good, target=y, clips=names(100))["mae"]
    assert (same.difference, same.p_value) == (0.0, 1.0)


def test_p_values_of_no_difference_are_uniform(generator):
    values = []
    for number in range(150):
        y = generator.normal(size=60)
        first, second = y + generator.normal(size=(2, 60))
        found = paired_bootstrap(
            first=first,
            second=second,
            target=y,
            clips=names(60),
            bootstrap=Bootstrap(resamples=300, seed=number),
        )
        values.append(found["mae"].p_value)
    assert np.mean(np.array(values) < 0.05) <= 0.11
    assert np.mean(values) == pytest.approx(0.5, abs=0.1)


def test_swapping_the_two_turns_the_sign(generator):
    y, first, second = generator.normal(size=(3, 30))
    there = paired_bootstrap(first=first, second=second, target=y, clips=names(30))["mae"]
    back = paired_bootstrap(first=second, second=first, target=y, clips=names(30))["mae"]
    assert back.difference == -there.difference
    assert back.p_value == there.p_value
    assert (back.interval.low, back.interval.high) == pytest.approx(
        (-there.interval.high, -there.interval.low)
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="3 utterances, but clips of 2"):
        bootstrap_intervals(predictions=[0.0] * 3, target=[0.0] * 3, clips=["a", "b"])
    for wrong in ({"resamples": 0}, {"level": 1.0}, {"level": math.nan}):
        with pytest.raises(DataError, match="between 0 and 1"):
            Bootstrap(**wrong)
