import math

import pytest
import torch

from models.gradient_reversal import reversal_coefficient, reverse_gradient


def test_values_pass_unchanged():
    tensor = torch.randn(3, 4)
    assert torch.equal(reverse_gradient(tensor=tensor, coefficient=0.7), tensor)


@pytest.mark.parametrize("coefficient", [0.0, 0.3, 1.0, 2.5])
def test_gradient_is_reversed_and_scaled(coefficient):
    tensor = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    (plain,) = torch.autograd.grad(tensor.sin().sum(), tensor)
    (ours,) = torch.autograd.grad(
        reverse_gradient(tensor=tensor, coefficient=coefficient).sin().sum(), tensor
    )
    torch.testing.assert_close(ours, -coefficient * plain)


def test_inner_parameters_keep_their_gradient():
    tensor = torch.randn(5, 2, requires_grad=True)
    head = torch.nn.Linear(2, 1)
    grads = [
        torch.autograd.grad(head(given).square().sum(), head.weight)[0]
        for given in (tensor, reverse_gradient(tensor=tensor, coefficient=0.5))
    ]
    torch.testing.assert_close(grads[0], grads[1])


@pytest.mark.parametrize("progress", [0.0, 0.1, 0.2, 0.5, 1.0])
def test_schedule_is_a_hyperbolic_tangent(progress):
    assert reversal_coefficient(progress=progress) == pytest.approx(math.tanh(5 * progress))


@pytest.mark.parametrize("progress", [-0.01, 1.01, float("nan")])
def test_progress_is_a_share(progress):
    with pytest.raises(ValueError, match="between 0 and 1"):
        reversal_coefficient(progress=progress)
