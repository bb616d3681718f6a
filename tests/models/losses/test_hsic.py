import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.losses.hsic import hsic


def by_definition(x, y):
    n = len(x)
    centring = np.eye(n) - np.ones((n, n)) / n
    K, L = x @ x.T, y @ y.T
    return np.trace(K @ centring @ L @ centring) / (n - 1) ** 2


# Few and many rows beside the width, so that each of the two forms is taken.
@given(n=st.integers(2, 30), dx=st.integers(1, 30), dy=st.integers(1, 30), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_equals_the_centring_matrix_formula(n, dx, dy, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dx)) + 3, rng.standard_normal((n, dy)) - 1
    ours = hsic(x=torch.from_numpy(x), y=torch.from_numpy(y)).item()
    assert ours == pytest.approx(by_definition(x, y), abs=1e-6, rel=1e-6)


@pytest.mark.parametrize(("n", "d"), [(50, 3), (4, 40)])
def test_both_forms_have_the_same_gradient_as_the_formula(n, d):
    x = torch.randn(n, d, dtype=torch.float64, requires_grad=True)
    y = torch.randn(n, d, dtype=torch.float64)
    centring = torch.eye(n, dtype=torch.float64) - 1 / n
    (ours,) = torch.autograd.grad(hsic(x=x, y=y), x)
    reference = torch.trace(x @ x.T @ centring @ y @ y.T @ centring) / (n - 1) ** 2
    (expected,) = torch.autograd.grad(reference, x)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize(("n", "d"), [(50, 3), (4, 40)])
def test_constant_code_is_independent_of_everything(n, d):
    x = torch.randn(n, d)
    constant = torch.full((n, d), 4.0)
    assert hsic(x=x, y=constant).item() == pytest.approx(0, abs=1e-9)
    assert hsic(x=x, y=x).item() > 0.1


def test_symmetric():
    x, y = torch.randn(10, 3, dtype=torch.float64), torch.randn(10, 20, dtype=torch.float64)
    torch.testing.assert_close(hsic(x=x, y=y), hsic(x=y, y=x))


def test_single_row_is_zero_with_a_graph():
    x, y = torch.randn(1, 4, requires_grad=True), torch.randn(1, 4, requires_grad=True)
    loss = hsic(x=x, y=y)
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()
    assert not y.grad.any()
