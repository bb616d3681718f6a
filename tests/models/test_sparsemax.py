import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from models.sparsemax import sparsemax

scores = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=12)


def projected(z):
    """Nearest point of the simplex: non-negative least squares, with a heavy row for the sum."""
    heavy = 1e6
    found, _ = nnls(np.vstack([np.eye(len(z)), np.full(len(z), heavy)]), np.append(z, heavy))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_nearest_point_of_the_simplex(seed):
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(rng.integers(1, 15)) * rng.choice([0.1, 1.0, 5.0])
    np.testing.assert_allclose(
        sparsemax(scores=torch.from_numpy(z)).numpy(), projected(z), atol=1e-5
    )


@given(z=scores)
@settings(deadline=None)
def test_weights_are_a_distribution_in_the_order_of_the_scores(z):
    weights = sparsemax(scores=torch.tensor(z))
    assert weights.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert (weights >= 0).all()
    ordered = weights[torch.tensor(z).argsort()]
    assert (ordered.diff() >= -1e-6).all()


@given(t=st.floats(-3, 3))
def test_two_scores_have_a_closed_form(t):
    first = sparsemax(scores=torch.tensor([t, 0.0], dtype=torch.float64))[0].item()
    assert first == pytest.approx(min(max((t + 1) / 2, 0), 1), abs=1e-6)


def test_larger_scores_leave_fewer_steps():
    z = torch.randn(50, generator=torch.Generator().manual_seed(0))
    sizes = [
        int((sparsemax(scores=scale * z) > 0).sum()) for scale in (0.001, 0.1, 0.3, 1.0, 100.0)
    ]
    assert sizes[0] == 50
    assert sizes[-1] == 1
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) > 3


@given(z=scores, shift=st.floats(-1e4, 1e4))
@settings(deadline=None)
def test_a_common_shift_changes_nothing(z, shift):
    z = torch.tensor(z, dtype=torch.float64)
    torch.testing.assert_close(sparsemax(scores=z + shift), sparsemax(scores=z), atol=5e-3, rtol=0)


def test_masked_steps_get_nothing_and_change_nothing():
    z = torch.tensor([[0.2, 5.0, 0.1, -0.3], [1.0, 2.0, 3.0, 4.0]])
    mask = torch.tensor([[True, False, True, True], [False, False, False, False]])
    weights = sparsemax(scores=z, mask=mask)
    assert weights[0, 1] == 0
    torch.testing.assert_close(weights[0, mask[0]], sparsemax(scores=z[0, mask[0]]))
    assert not weights[1].any()


def test_gradient_matches_finite_differences():
    z = torch.tensor([[0.3, -0.2, 0.9, 0.35], [2.0, -1.0, 0.4, 0.1]], dtype=torch.float64)
    z.requires_grad_()
    mask = torch.tensor([[True, True, True, True], [True, True, True, False]])
    weight = torch.tensor([0.5, -1.0, 2.0, 0.7], dtype=torch.float64)
    (gradient,) = torch.autograd.grad((sparsemax(scores=z, mask=mask) * weight).sum(), z)
    step = 1e-3
    for index in np.ndindex(2, 4):
        moved = []
        for sign in (1, -1):
            other = z.detach().clone()
            other[index] += sign * step
            moved.append((sparsemax(scores=other, mask=mask) * weight).sum().item())
        slope = (moved[0] - moved[1]) / (2 * step)
        assert gradient[index].item() == pytest.approx(slope, abs=1e-3)


def test_gradient_over_an_empty_row_is_finite():
    z = torch.zeros(2, 3, requires_grad=True)
    mask = torch.tensor([[True, False, False], [False, False, False]])
    sparsemax(scores=z, mask=mask).square().sum().backward()
    assert torch.isfinite(z.grad).all()
