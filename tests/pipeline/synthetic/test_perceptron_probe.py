import numpy as np

from pipeline.synthetic.perceptron_probe import perceptron_predictions
from pipeline.synthetic.ridge_probe import explained_variance, fit_ridge_probe


def test_nonlinear_factors_are_found_that_no_linear_probe_sees():
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((3500, 6))
    factors = np.stack(
        [
            inputs[:, 0] ** 2,
            inputs[:, 1] * inputs[:, 2],
            5 + 10 * inputs[:, 3],
            generator.standard_normal(3500),
        ],
        axis=1,
    )
    new, truth = inputs[2500:], factors[2500:]
    linear = fit_ridge_probe(inputs=inputs[:2500], targets=factors[:2500]).predict(new)
    assert (explained_variance(prediction=linear, target=truth)[:2] < 0.05).all()
    predicted = perceptron_predictions(
        inputs=inputs[:2500], targets=factors[:2500], new_inputs=new, seed=0
    )
    found = explained_variance(prediction=predicted, target=truth)
    assert (found[:2] > 0.85).all(), found
    assert found[2] > 0.97
    assert abs(found[3]) < 0.05


def test_the_same_seed_gives_the_same_predictions():
    generator = np.random.default_rng(1)
    inputs, factors = generator.standard_normal((60, 3)), generator.standard_normal((60, 2))
    one, two, other = (
        perceptron_predictions(inputs=inputs, targets=factors, new_inputs=inputs, seed=seed)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_wide_linear_codes_are_told_as_well_as_by_a_line():
    generator = np.random.default_rng(2)
    factors = generator.standard_normal((900, 3))
    inputs = factors @ generator.standard_normal((3, 120)) + 2 * generator.standard_normal(
        (900, 120)
    )
    new, truth = inputs[500:], factors[500:]
    line = fit_ridge_probe(inputs=inputs[:500], targets=factors[:500]).predict(new)
    predicted = perceptron_predictions(
        inputs=inputs[:500], targets=factors[:500], new_inputs=new, seed=0
    )
    expected = explained_variance(prediction=line, target=truth)
    assert (explained_variance(prediction=predicted, target=truth) > expected - 0.03).all()
