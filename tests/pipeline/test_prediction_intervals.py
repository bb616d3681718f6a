import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.prediction_intervals import conformal_radius, conformal_set, seed_interval


def test_seed_interval_is_students():
    by_seed = np.random.default_rng(0).normal(size=(5, 7))
    low, high = seed_interval(by_seed=by_seed, level=0.9)
    expected = scipy.stats.t.interval(
        0.9, df=4, loc=by_seed.mean(axis=0), scale=scipy.stats.sem(by_seed, axis=0)
    )
    np.testing.assert_allclose([low, high], expected)


def test_one_seed_says_nothing_of_others():
    assert seed_interval(by_seed=np.zeros((1, 3))) is None


def test_seed_interval_covers_the_mean_of_many_seeds():
    by_seed = np.random.default_rng(1).normal(0.7, 2.0, size=(4, 20_000))
    low, high = seed_interval(by_seed=by_seed, level=0.95)
    assert np.mean((low <= 0.7) & (high >= 0.7)) == pytest.approx(0.95, abs=0.006)


@pytest.mark.parametrize("noise", ["normal", "standard_cauchy", "exponential"])
@pytest.mark.parametrize(("n", "level"), [(19, 0.95), (50, 0.8), (99, 0.9)])
def test_labels_lie_within_the_radius(noise, n, level):
    """Coverage is k / (n + 1) for continuous residuals, whatever their distribution."""
    draw = getattr(np.random.default_rng(n), noise)
    covered = [
        abs(new) <= conformal_radius(residuals=known, level=level)
        for known, new in zip(draw(size=(8000, n)), draw(size=8000), strict=True)
    ]
    rank = math.ceil(round((n + 1) * level, 9))
    assert np.mean(covered) == pytest.approx(rank / (n + 1), abs=0.015)
    assert rank / (n + 1) >= level - 1e-9


@given(st.lists(st.floats(-5, 5), max_size=60), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_radius_is_a_residual_with_enough_below(residuals, level):
    radius = conformal_radius(residuals=residuals, level=level)
    below = sum(abs(residual) <= radius for residual in residuals)
    if math.isinf(radius):
        assert len(residuals) / (len(residuals) + 1) < level
    else:
        assert below / (len(residuals) + 1) >= level - 1e-9
        assert sum(abs(residual) < radius for residual in residuals) < level * (len(residuals) + 1)


def test_nineteen_suffice_for_95_percent():
    assert conformal_radius(residuals=np.arange(19) - 9.0) == 9.0
    assert conformal_radius(residuals=np.arange(18)) == math.inf


@pytest.mark.parametrize("level", [0.0, 1.0, math.nan])
def test_level_is_checked(level):
    with pytest.raises(DataError, match="between 0 and 1"):
        conformal_radius(residuals=[1.0], level=level)
    with pytest.raises(DataError, match="between 0 and 1"):
        seed_interval(by_seed=[[1.0], [2.0]], level=level)


def test_residuals_are_checked():
    with pytest.raises(DataError, match="not finite"):
        conformal_radius(residuals=[1.0, math.nan])


@pytest.mark.parametrize(("n", "level"), [(19, 0.95), (40, 0.5)])
def test_the_true_class_is_in_the_set(n, level):
    """With continuous probabilities by chance at least k / (n + 1), and seldom much more."""
    generator = np.random.default_rng(n)
    covered = []
    for _ in range(1000):
        likely = generator.dirichlet([0.5, 1.0, 2.0], size=n + 1)
        true = np.array([generator.choice(3, p=p) for p in likely])
        missing = 1 - likely[np.arange(n + 1), true]
        radius = conformal_radius(residuals=missing[:n], level=level)
        (inside,) = conformal_set(probabilities=likely[n:], radius=radius)
        covered.append(inside[true[n]])
        assert inside[likely[n].argmax()]
    rank = math.ceil(round((n + 1) * level, 9))
    assert rank / (n + 1) - 0.04 < np.mean(covered) < rank / (n + 1) + 0.2


def test_classes_in_the_set_lack_no_more_than_the_radius():
    likely = [[0.5, 0.3, 0.2], [0.05, 0.05, 0.9]]
    found = conformal_set(probabilities=likely, radius=0.75)
    assert found.tolist() == [[True, True, False], [False, False, True]]
    # where none is near enough there is the most probable one
    assert conformal_set(probabilities=[[0.6, 0.4]], radius=0.1).tolist() == [[True, False]]
