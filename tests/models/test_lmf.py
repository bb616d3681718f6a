import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.base import get
from models.lmf import LMF, LMFConfig, low_rank_fusion


def contracted(vectors, factors, rank_weights):
    """The full tensor W of eq. 4 against the full outer product of eq. 1, in float64."""
    scores = []
    for row in range(len(vectors[0])):
        product, tensor = np.ones(()), np.zeros([factor.shape[1] for factor in factors])
        for vector in vectors:
            product = np.multiply.outer(product, np.concatenate([[1.0], vector[row]]))
        for k, weight in enumerate(rank_weights):
            outer = np.ones(())
            for factor in factors:
                outer = np.multiply.outer(outer, factor[k])
            tensor += weight * outer
        scores.append((tensor * product).sum())
    return np.array(scores)


def test_registered_by_name():
    assert get("lmf") is LMF


@given(
    widths=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    rank=st.integers(1, 4),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=30)
def test_it_equals_the_contraction_with_the_whole_tensor(widths, rank, seed):
    rng = np.random.default_rng(seed)
    vectors = [rng.normal(size=(3, width)) for width in widths]
    factors = [rng.normal(size=(rank, width + 1)) for width in widths]
    weights = rng.normal(size=rank)
    found = low_rank_fusion(
        vectors=[torch.from_numpy(v) for v in vectors],
        factors=[torch.from_numpy(f) for f in factors],
        rank_weights=torch.from_numpy(weights),
    )
    expected = contracted(vectors, factors, weights)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rank", [1, 4])
def test_prediction_is_the_fusion_of_the_vectors(make_batch, dimensions, rank):
    config = LMFConfig(rank=rank, text_width=3, audio_width=2, vision_width=4)
    model = LMF(config, dimensions).eval()
    with torch.no_grad():
        model.bias += 0.7
    output = model(make_batch())
    modalities = ("text", "audio", "vision")
    expected = contracted(
        [output.parts["Z"][name].detach().double().numpy() for name in modalities],
        [model.factors[name].detach().double().numpy() for name in modalities],
        model.rank_weights.detach().double().numpy(),
    )
    found = output.prediction.detach().numpy()
    np.testing.assert_allclose(found, expected + 0.7, rtol=1e-4, atol=1e-5)


def test_factors_learn_at_a_rate_of_their_own(dimensions):
    model = LMF(LMFConfig(factor_rate=0.25), dimensions)
    rest, factors = model.parameter_groups(2e-3)
    assert (rest["lr"], factors["lr"]) == (2e-3, 5e-4)
    assert {id(p) for p in factors["params"]} == {id(p) for p in model.factors.values()}
    assert len(rest["params"]) + 3 == len(list(model.parameters()))


def test_dropout_of_the_fusion_is_off_in_evaluation(make_batch, dimensions):
    batch, model = make_batch(), LMF(LMFConfig(fusion_dropout=0.6), dimensions).eval()
    plain = model(batch).prediction
    assert torch.equal(model(batch).prediction, plain)
    model.train()
    assert not torch.allclose(model(batch).prediction, model(batch).prediction)


def test_factors_of_the_ones_begin_at_one(dimensions):
    for factor in LMF(None, dimensions).factors.values():
        assert (factor[:, 0] == 1).all()
        assert (factor[:, 1:] != 1).all()
