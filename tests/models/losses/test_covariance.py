import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.losses.covariance import covariance_loss


@given(rows=st.integers(2, 30), width=st.integers(2, 6), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_equals_numpys_covariances(rows, width, seed):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((rows, width)) @ rng.standard_normal((width, width)) + 5
    b = rng.standard_normal((rows, width)) - 2
    expected = ((np.cov(a.T) - np.cov(b.T)) ** 2).sum() / (4 * width**2)
    found = covariance_loss(a=torch.from_numpy(a), b=torch.from_numpy(b)).item()
    assert found == pytest.approx(expected, rel=1e-9)


def test_standardised_it_equals_numpys_correlations():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 50, 4)) @ rng.standard_normal((4, 4))
    expected = ((np.corrcoef(a.T) - np.corrcoef(b.T)) ** 2).sum() / (4 * 16)
    one, other = torch.from_numpy(a), torch.from_numpy(b)
    found = covariance_loss(a=one, b=other, standardise=True, epsilon=1e-12)
    assert found.item() == pytest.approx(expected, rel=1e-9)
    scaled = covariance_loss(a=100 * one, b=other, standardise=True, epsilon=1e-12)
    torch.testing.assert_close(scaled, found)


def test_independent_modalities_of_equal_covariance_look_alike():
    a = torch.randn(64, 3)
    assert covariance_loss(a=a, b=a[torch.randperm(64)]).item() == pytest.approx(0, abs=1e-12)
    assert covariance_loss(a=torch.zeros(9, 2), b=torch.ones(9, 2)).item() == 0
    assert covariance_loss(a=2 * a, b=a) > 0.01


def test_single_row_is_zero_with_a_graph():
    a, b = torch.randn(1, 3, requires_grad=True), torch.randn(1, 3, requires_grad=True)
    loss = covariance_loss(a=a, b=b)
    loss.backward()
    assert loss.item() == 0
    assert not a.grad.any()


def test_constant_columns_have_a_finite_gradient():
    a, b = torch.ones(5, 3, requires_grad=True), torch.randn(5, 3)
    covariance_loss(a=a, b=b, standardise=True).backward()
    assert torch.isfinite(a.grad).all()
