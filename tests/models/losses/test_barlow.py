import numpy as np
import pytest
import torch

from models.losses.barlow import barlow_twins_loss


def whitened(rows, columns, seed):
    values = np.random.default_rng(seed).standard_normal((rows, columns))
    q, _ = np.linalg.qr(values - values.mean(axis=0))
    return torch.from_numpy(q * np.sqrt(rows))


def by_element(a, b, weight, epsilon):
    a, b = a.numpy(), b.numpy()
    a = (a - a.mean(axis=0)) / np.sqrt(a.var(axis=0) + epsilon)
    b = (b - b.mean(axis=0)) / np.sqrt(b.var(axis=0) + epsilon)
    total = 0.0
    for k in range(a.shape[1]):
        for m in range(a.shape[1]):
            c = np.mean(a[:, k] * b[:, m])
            total += (1 - c) ** 2 if k == m else weight * c**2
    return total


def test_zero_for_identical_whitened_views():
    a = whitened(64, 8, 0)
    assert barlow_twins_loss(a=a, b=a).item() == pytest.approx(0, abs=1e-8)


def test_about_the_width_for_independent_views():
    width, rows = 16, 20000
    a, b = torch.randn(rows, width), torch.randn(rows, width)
    assert barlow_twins_loss(a=a, b=b).item() == pytest.approx(width, rel=0.02)


@pytest.mark.parametrize("weight", [None, 0.0, 0.3, 5.0])
def test_against_a_loop_over_elements(weight):
    a = torch.randn(9, 5, dtype=torch.float64) * 3 + 1
    b = 0.5 * a + torch.randn(9, 5, dtype=torch.float64)
    expected = by_element(a, b, 1 / 5 if weight is None else weight, 1e-5)
    loss = barlow_twins_loss(a=a, b=b, off_diagonal_weight=weight)
    assert loss.item() == pytest.approx(expected, rel=1e-9)


def test_shift_and_scale_change_nothing():
    a, b = torch.randn(20, 4, dtype=torch.float64), torch.randn(20, 4, dtype=torch.float64)
    moved = barlow_twins_loss(a=a * 7 - 2, b=b + 9, epsilon=1e-12)
    torch.testing.assert_close(moved, barlow_twins_loss(a=a, b=b, epsilon=1e-12))


def test_constant_column_has_a_finite_gradient():
    a = torch.ones(6, 3, requires_grad=True)
    barlow_twins_loss(a=a, b=torch.randn(6, 3)).backward()
    assert torch.isfinite(a.grad).all()


def test_single_row_is_zero_with_a_graph():
    a, b = torch.randn(1, 4, requires_grad=True), torch.randn(1, 4, requires_grad=True)
    loss = barlow_twins_loss(a=a, b=b)
    loss.backward()
    assert loss.item() == 0
    assert not a.grad.any()
    assert not b.grad.any()
