import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cosine

from models.losses.contrastive_prediction import contrastive_prediction_loss


def sample(rows, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=generator, dtype=torch.float64)


def test_equals_a_loop_over_rows():
    codes, predicted = sample(7), sample(7, seed=1)
    losses = []
    for i in range(7):
        scores = [1 - cosine(codes[i].numpy(), predicted[j].numpy()) for j in range(7)]
        losses.append(-math.log(math.exp(scores[i]) / sum(math.exp(s) for s in scores)))
    found = contrastive_prediction_loss(codes=codes, predicted=predicted).item()
    assert found == pytest.approx(np.mean(losses))


def test_equal_predictions_tell_nothing():
    found = contrastive_prediction_loss(codes=sample(6), predicted=torch.ones(6, 5).double())
    assert found.item() == pytest.approx(math.log(6))


def test_two_opposite_rows_reach_the_lower_bound():
    codes = torch.tensor([[1.0, 0.0], [-3.0, 0.0]])
    found = contrastive_prediction_loss(codes=codes, predicted=2 * codes)
    assert found.item() == pytest.approx(math.log(1 + math.exp(-2)))


@given(rows=st.integers(1, 9), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30)
def test_it_is_never_below_its_bound(rows, seed):
    found = contrastive_prediction_loss(
        codes=sample(rows, seed=seed), predicted=sample(rows, seed=seed)
    )
    assert found.item() >= math.log(1 + (rows - 1) * math.exp(-2)) - 1e-12


def test_a_code_of_zeros_has_a_finite_gradient():
    codes = sample(4)
    codes[0] = 0.0
    codes.requires_grad_()
    contrastive_prediction_loss(codes=codes, predicted=sample(4, seed=1)).backward()
    assert torch.isfinite(codes.grad).all()
