import numpy as np
import pytest
import torch

from models.losses.steps import step_orthogonality_loss, step_reconstruction_loss

MASK = torch.tensor([[True, True, False], [True, False, False], [False, False, False]])


def codes(seed):
    return torch.randn(3, 3, 4, generator=torch.Generator().manual_seed(seed)).double()


def valid(*values):
    """The pairs of valid steps, one by one."""
    return [
        [value[b, t].numpy() for value in values] for b in range(3) for t in range(3) if MASK[b, t]
    ]


def test_reconstruction_is_the_mean_over_valid_steps():
    x, y = codes(1), codes(2)
    expected = np.mean([np.square(a - b).mean() for a, b in valid(x, y)])
    found = step_reconstruction_loss(reconstruction=x, target=y, mask=MASK)
    assert found.item() == pytest.approx(expected)


def test_orthogonality_is_the_mean_positive_cosine_of_valid_steps():
    x, y = codes(1), codes(2)
    cosines = [a @ b / np.sqrt(a @ a * (b @ b)) for a, b in valid(x, y)]
    assert min(cosines) < 0.0 < max(cosines)
    found = step_orthogonality_loss(x=x, y=y, mask=MASK)
    assert found.item() == pytest.approx(np.maximum(cosines, 0.0).mean())


def test_orthogonality_of_parallel_and_of_opposite_codes():
    x = codes(1)
    assert step_orthogonality_loss(x=x, y=3 * x, mask=MASK).item() == pytest.approx(1.0)
    assert step_orthogonality_loss(x=x, y=-x, mask=MASK).item() == 0.0


@pytest.mark.parametrize("zeros", [False, True])
def test_nothing_to_compare_gives_zero_with_a_gradient_of_zero(zeros):
    x = (codes(1) * (0.0 if zeros else 1.0)).requires_grad_()
    mask = MASK if zeros else torch.zeros_like(MASK)
    loss = step_reconstruction_loss(reconstruction=x, target=x.detach(), mask=mask)
    loss = loss + step_orthogonality_loss(x=x, y=x, mask=mask)
    loss.backward()
    assert loss.item() == 0.0
    assert not x.grad.any()
