import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform

from models.losses.hsic import hsic, normalised_hsic, rbf_hsic


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


def gaussian(x):
    # torch takes the lower of two middle values
    median = np.sort(np.repeat(pdist(x, "sqeuclidean"), 2))[len(x) * (len(x) - 1) // 2 - 1]
    return np.exp(-squareform(pdist(x, "sqeuclidean")) / (2 * median))


def traced(K, L):
    n = len(K)
    centring = np.eye(n) - 1 / n
    return np.trace(K @ centring @ L @ centring) / (n - 1) ** 2


@given(n=st.integers(2, 25), dx=st.integers(1, 6), dy=st.integers(1, 6), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_gaussian_kernels_by_scipy_and_the_centring_matrix(n, dx, dy, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, dx)) * 4, rng.standard_normal((n, dy)) - 1
    K, L = gaussian(x), gaussian(y)
    expected = traced(K, L)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    assert rbf_hsic(x=x, y=y).item() == pytest.approx(expected, abs=1e-9)
    expected /= np.sqrt(traced(K, K) * traced(L, L) + 1e-12)
    assert normalised_hsic(x=x, y=y).item() == pytest.approx(expected, abs=1e-9)


def test_normalised_linear_form_is_the_alignment_of_centred_products():
    x, y = torch.randn(12, 3, dtype=torch.float64), torch.randn(12, 5, dtype=torch.float64)
    a, b = ((v - v.mean(dim=0)).numpy() for v in (x, y))
    cross, own = np.linalg.norm(a.T @ b) ** 2, np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    ours = normalised_hsic(x=x, y=y, criterion=hsic).item()
    assert ours == pytest.approx(cross / own)


@pytest.mark.parametrize("criterion", [hsic, rbf_hsic])
def test_normalised_criterion_has_no_scale(criterion):
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, 4, dtype=torch.float64)
    plain = normalised_hsic(x=x, y=y, criterion=criterion)
    scaled = normalised_hsic(x=x * 30 + 5, y=y / 7, criterion=criterion)
    torch.testing.assert_close(scaled, plain, rtol=1e-5, atol=1e-6)
    assert normalised_hsic(x=x, y=x * 2, criterion=criterion).item() == pytest.approx(1, abs=1e-5)


def test_only_gaussian_kernels_see_a_parabola():
    x = torch.linspace(-1, 1, 101, dtype=torch.float64)[:, None]
    y = x.square()
    assert normalised_hsic(x=x, y=y, criterion=hsic).item() == pytest.approx(0, abs=1e-12)
    assert normalised_hsic(x=x, y=y).item() > 0.1


@pytest.mark.parametrize("criterion", [rbf_hsic, normalised_hsic])
def test_gaussian_criterion_of_a_constant_code_is_zero_with_a_finite_gradient(criterion):
    x, constant = torch.randn(20, 3, requires_grad=True), torch.full((20, 3), 0.3)
    constant.requires_grad_()
    loss = criterion(x=x, y=constant)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(x.grad).all()
    assert torch.isfinite(constant.grad).all()


@pytest.mark.parametrize("criterion", [rbf_hsic, normalised_hsic])
def test_gaussian_criterion_of_a_single_row_is_zero_with_a_graph(criterion):
    x, y = torch.randn(1, 4, requires_grad=True), torch.randn(1, 4, requires_grad=True)
    loss = criterion(x=x, y=y)
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()
    assert not y.grad.any()
