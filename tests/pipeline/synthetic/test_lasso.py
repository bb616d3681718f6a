import numpy as np
import pytest
from sklearn.linear_model import Lasso

from pipeline.synthetic.lasso import coordinate_descent, lasso_weights


@pytest.fixture
def problem():
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((200, 12))
    inputs[:, 1] += inputs[:, 0]
    targets = inputs[:, [0, 3]] * [1.0, 2.0] + generator.standard_normal((200, 2))
    return [(v - v.mean(0)) / v.std(0) for v in (inputs, targets)]


def test_weights_are_those_of_scikit_learn(problem):
    x, y = problem
    strength = np.array([0.05, 0.3])
    found = coordinate_descent(
        gram=x.T @ x / 200, moment=x.T @ y / 200, strength=strength, start=np.zeros((12, 2))
    )
    for column, alpha in enumerate(strength):
        expected = Lasso(alpha=alpha, fit_intercept=False, tol=1e-10).fit(x, y[:, column]).coef_
        np.testing.assert_allclose(found[:, column], expected, atol=1e-3)
    assert (found == 0).any()


def test_the_chosen_strength_keeps_what_matters_and_drops_noise(problem):
    x, y = problem
    y = np.concatenate([y, np.random.default_rng(1).standard_normal((200, 1))], axis=1)
    weights = lasso_weights(
        inputs=x[:150], targets=y[:150], valid_inputs=x[150:], valid_targets=y[150:]
    )
    assert np.abs(weights[:, 0]).argmax() == 0
    assert np.abs(weights[:, 1]).argmax() == 3
    assert np.abs(weights[:, 2]).sum() < 0.3
