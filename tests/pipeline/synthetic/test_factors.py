import numpy as np
import pytest

from models.batch import MODALITIES
from pipeline.synthetic.factors import draw_factors, private_effect, shared_effect


@pytest.fixture(scope="module")
def factors():
    return draw_factors(clips=40_000, correlation=0.0, generator=np.random.default_rng(1))


def columns(factors):
    private = [factors.private[name] for name in MODALITIES]
    nuisance = [factors.nuisance[name] for name in MODALITIES]
    return np.concatenate([factors.shared, *private, *nuisance], axis=1)


def test_factors_are_standard_and_independent(factors):
    values = columns(factors)
    assert values.shape == (40_000, 22)
    np.testing.assert_allclose(values.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(values.std(0), 1, atol=0.03)
    np.testing.assert_allclose(np.corrcoef(values, rowvar=False), np.eye(22), atol=0.03)


def test_effects_have_unit_variance_and_no_mean(factors):
    effects = [shared_effect(factors.shared), *map(private_effect, factors.private.values())]
    for effect in effects:
        assert effect.mean() == pytest.approx(0, abs=0.03)
        assert effect.var() == pytest.approx(1, abs=0.05)


def test_bayes_regression_explains_nine_tenths(factors):
    effects = [shared_effect(factors.shared), *map(private_effect, factors.private.values())]
    inputs = np.stack([*effects, np.ones(len(effects[0]))], axis=1)
    weights, residual, *_ = np.linalg.lstsq(inputs, factors.sentiment, rcond=None)
    explained = 1 - residual[0] / len(inputs) / factors.sentiment.var()
    assert explained == pytest.approx(0.9, abs=0.01)
    np.testing.assert_allclose(weights[:4] ** 2, [0.6, 0.1, 0.1, 0.1], atol=0.02)


def test_factors_outside_the_sentiment_do_not_correlate_with_it(factors):
    unused = [factors.shared[:, 3], *(values[:, 2] for values in factors.private.values())]
    for values in unused:
        assert abs(np.corrcoef(values**2, factors.sentiment)[0, 1]) < 0.03
        assert abs(np.corrcoef(values, factors.sentiment)[0, 1]) < 0.03


@pytest.mark.parametrize("rho", [-0.6, 0.3, 1.0])
def test_first_nuisance_follows_the_sentiment(rho):
    drawn = draw_factors(clips=40_000, correlation=rho, generator=np.random.default_rng(2))
    for values in drawn.nuisance.values():
        found = [np.corrcoef(column, drawn.sentiment)[0, 1] for column in values.T]
        np.testing.assert_allclose(found, [rho, 0, 0], atol=0.02)
        np.testing.assert_allclose(values.std(0), 1, atol=0.02)
