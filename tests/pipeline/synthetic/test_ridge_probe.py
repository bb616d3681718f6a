import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score

from pipeline.synthetic.ridge_probe import column_scale, explained_variance, fit_ridge_probe


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_known_linear_mixes_are_explained_as_far_as_their_noise_allows(generator):
    factors = generator.standard_normal((6000, 3))
    deviation = np.array([0.0, 0.5, 2.0])
    inputs = (factors + deviation * generator.standard_normal(factors.shape)) @ np.diag([9, 1, 0.1])
    inputs = np.concatenate([inputs, generator.standard_normal((6000, 5))], axis=1)
    probe = fit_ridge_probe(inputs=inputs[:3000], targets=factors[:3000])
    found = explained_variance(prediction=probe.predict(inputs[3000:]), target=factors[3000:])
    np.testing.assert_allclose(found, 1 / (1 + deviation**2), atol=0.03)


@pytest.mark.parametrize("width", [5, 60])
def test_strength_and_predictions_are_those_of_generalised_cross_validation(generator, width):
    """Scikit-learn's efficient leave-one-out and GCV choose alike; compare at equal strengths."""
    inputs = generator.standard_normal((80, width))
    targets = inputs[:, :2] @ generator.standard_normal((2, 3)) + generator.standard_normal((80, 3))
    probe = fit_ridge_probe(inputs=inputs, targets=targets)
    mean, scale = column_scale(inputs)
    reference = RidgeCV(alphas=np.logspace(-3, 6, 28), alpha_per_target=True)
    reference.fit((inputs - mean) / scale, targets)
    found, expected = probe.predict(inputs), reference.predict((inputs - mean) / scale)
    # a tenth of the targets' spread: leave-one-out may prefer the next strength
    np.testing.assert_allclose(found, expected, atol=0.15 * targets.std())
    assert r2_score(expected, found) > 0.99


def test_what_is_unrelated_is_shrunk_to_nothing(generator):
    inputs, targets = generator.standard_normal((600, 100)), generator.standard_normal((600, 4))
    probe = fit_ridge_probe(inputs=inputs[:300], targets=targets[:300])
    found = explained_variance(prediction=probe.predict(inputs[300:]), target=targets[300:])
    assert (np.abs(found) < 0.05).all()


def test_constant_and_repeated_columns_do_no_harm(generator):
    factors = generator.standard_normal((400, 1))
    inputs = np.concatenate([factors, factors, np.full((400, 2), 3.0)], axis=1)
    probe = fit_ridge_probe(inputs=inputs, targets=factors)
    np.testing.assert_allclose(probe.predict(inputs), factors, atol=1e-4)


def test_explained_variance_is_that_of_scikit_learn(generator):
    target = generator.standard_normal((50, 3))
    prediction = target + generator.standard_normal((50, 3)) * [0.1, 1, 3]
    np.testing.assert_allclose(
        explained_variance(prediction=prediction, target=target),
        r2_score(target, prediction, multioutput="raw_values"),
    )
