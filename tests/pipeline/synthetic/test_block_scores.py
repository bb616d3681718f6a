import numpy as np
import pytest

from pipeline.synthetic.block_scores import block_importance, block_scores


@pytest.fixture
def factors():
    values = np.random.default_rng(0).standard_normal((2500, 13))
    names = ["shared", "private_text", "private_audio", "private_vision"]
    return dict(zip(names, np.split(values, [4, 7, 10], axis=1), strict=True))


def scored(blocks, factors):
    old, new = slice(0, 1500), slice(1500, None)
    return block_scores(
        blocks={name: b[old] for name, b in blocks.items()},
        factors={name: f[old] for name, f in factors.items()},
        new_blocks={name: b[new] for name, b in blocks.items()},
        new_factors={name: f[new] for name, f in factors.items()},
    )


def test_a_perfect_representation_scores_one_in_any_basis(factors):
    generator = np.random.default_rng(1)
    blocks = {name: f @ generator.standard_normal((f.shape[1], 6)) for name, f in factors.items()}
    scores = scored(blocks, factors)
    assert scores.disentanglement > 0.98
    assert scores.completeness > 0.98
    assert scores.informativeness == pytest.approx(1.0, abs=0.01)
    assert scores.gap > 0.98
    assert scores.separated_predictability > 0.98


def test_blocks_that_all_hold_everything_score_nothing(factors):
    generator = np.random.default_rng(2)
    everything = np.concatenate(list(factors.values()), axis=1)
    blocks = {
        name: everything @ generator.standard_normal((13, 16))
        + 0.3 * generator.standard_normal((2500, 16))
        for name in factors
    }
    scores = scored(blocks, factors)
    assert scores.disentanglement < 0.05
    assert scores.completeness < 0.05
    assert scores.informativeness > 0.9
    assert scores.gap < 0.1


def test_one_block_of_everything_is_complete_but_not_disentangled(factors):
    noise = np.random.default_rng(3).standard_normal((2500, 6))
    everything = np.concatenate(list(factors.values()), axis=1)
    scores = scored({"all": everything, "none": noise}, factors)
    assert scores.completeness > 0.95
    assert scores.disentanglement < 0.05
    assert scores.gap > 0.95


def test_nothing_informative_has_no_scores(factors):
    scores = scored({name: np.ones((2500, 2)) for name in factors}, factors)
    assert np.isnan(scores.disentanglement)
    assert scores.informativeness == pytest.approx(0.0, abs=0.01)
    assert scores.separated_predictability == pytest.approx(0.0, abs=0.01)


def test_importance_is_a_sum_over_columns_and_a_mean_over_factors():
    values = np.random.default_rng(5).standard_normal((4000, 3))
    blocks = {"one": values[:, :2], "two": values[:, 2:]}
    factors = {"sum": values[:, :1] + values[:, 1:2], "pair": values[:, [0, 2]]}
    found = block_importance(blocks=blocks, factors=factors)
    # standardised weights: 1/sqrt(2) each of two columns; one column for one of two factors
    np.testing.assert_allclose(found, [[np.sqrt(2), 0.5], [0.0, 0.5]], atol=0.03)
