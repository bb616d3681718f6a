import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import moment

from models.losses.central_moment import central_moment_discrepancy


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 999),
    sizes=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    width=st.integers(1, 4),
    moments=st.integers(1, 6),
)
def test_equals_the_moments_of_scipy(seed, sizes, width, moments):
    rng = np.random.default_rng(seed)
    x, y = (rng.random((size, width)) for size in sizes)
    expected = np.linalg.norm(x.mean(0) - y.mean(0))
    for order in range(2, moments + 1):
        expected += np.linalg.norm(moment(x, order, axis=0) - moment(y, order, axis=0))
    found = central_moment_discrepancy(
        x=torch.from_numpy(x), y=torch.from_numpy(y), moments=moments
    )
    assert found.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_closed_form_for_two_values():
    # X is 0 or 1 with share p of ones: C_k = p (1 - p)^k + (1 - p) (-p)^k; Y is constant
    x = torch.tensor([[0.0], [1.0], [1.0], [1.0]], dtype=torch.float64)
    y = torch.full((4, 1), 0.75, dtype=torch.float64)
    expected = sum(abs(0.75 * 0.25**k + 0.25 * (-0.75) ** k) for k in range(2, 6))
    assert central_moment_discrepancy(x=x, y=y).item() == pytest.approx(expected, rel=1e-12)


def test_a_shift_moves_the_mean_alone():
    x = torch.rand(9, 3, dtype=torch.float64)
    shift = torch.tensor([0.3, 0.0, 0.4], dtype=torch.float64)
    assert central_moment_discrepancy(x=x, y=x + shift).item() == pytest.approx(0.5, rel=1e-9)


def test_a_flat_and_a_steep_normal_differ_by_known_amounts():
    # moments of N(0, s^2): s^2, 0, 3 s^4, 0
    points = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    normal = math.sqrt(2) * torch.erfinv(2 * points - 1)[:, None]
    found = central_moment_discrepancy(x=0.1 * normal, y=0.2 * normal)
    expected = (0.2**2 - 0.1**2) + 3 * (0.2**4 - 0.1**4)
    assert found.item() == pytest.approx(expected, rel=1e-3)


def test_which_rows_belong_together_does_not_matter():
    x, y = torch.rand(8, 3), torch.rand(8, 3)
    plain = central_moment_discrepancy(x=x, y=y)
    torch.testing.assert_close(central_moment_discrepancy(x=x, y=y.flip(0)), plain)
    assert plain > 0.01


def test_equal_samples_give_0_and_no_gradient():
    x = torch.rand(6, 3, requires_grad=True)
    loss = central_moment_discrepancy(x=x, y=x.detach())
    loss.backward()
    assert loss == 0
    assert not x.grad.any()


def test_single_rows_are_compared_by_their_distance():
    x, y = torch.tensor([[0.0, 0.0]], requires_grad=True), torch.tensor([[0.3, 0.4]])
    loss = central_moment_discrepancy(x=x, y=y)
    loss.backward()
    assert loss.item() == pytest.approx(0.5)
    assert torch.isfinite(x.grad).all()


def test_no_moment_is_refused():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        central_moment_discrepancy(x=torch.rand(3, 2), y=torch.rand(3, 2), moments=0)
