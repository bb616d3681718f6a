import numpy as np
import pytest
import torch

from models.losses.orthogonality import orthogonality_loss


def test_equals_a_loop_over_pairs_of_columns():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((7, 3)) + 4, rng.standard_normal((7, 5))
    unit = []
    for values in (x, y):
        centred = values - values.mean(0)
        unit.append(np.array([row / np.linalg.norm(row) for row in centred]))
    expected = np.mean(
        [np.dot(unit[0][:, k], unit[1][:, m]) ** 2 for k in range(3) for m in range(5)]
    )
    found = orthogonality_loss(x=torch.from_numpy(x), y=torch.from_numpy(y))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_orthogonal_columns_give_0_and_equal_ones_do_not():
    steps = torch.arange(8, dtype=torch.float64) * torch.pi / 4
    x, y = steps.sin()[:, None], steps.cos()[:, None]
    # a second column of constant length keeps the rows' lengths apart from their directions
    x, y = (torch.cat([v, (4 - v.square()).sqrt()], 1) for v in (x, y))
    assert orthogonality_loss(x=x[:, :1], y=torch.zeros(8, 1, dtype=torch.float64)) == 0
    assert orthogonality_loss(x=x, y=x) > 10 * orthogonality_loss(x=x, y=y)


def test_lengths_take_no_part_in_the_gradient():
    x, y = (torch.randn(6, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    (gradient,) = torch.autograd.grad(orthogonality_loss(x=x, y=y), x)
    centred = x.detach() - x.detach().mean(0)
    lengths = centred.norm(dim=1, keepdim=True)
    direction = (y - y.mean(0)).detach()
    direction = direction / direction.norm(dim=1, keepdim=True)
    at_unit = 2 * direction @ (direction.T @ (centred / lengths)) / 9 / lengths
    torch.testing.assert_close(gradient, at_unit - at_unit.mean(0), rtol=1e-4, atol=1e-7)


def test_a_single_row_gives_0_with_a_graph():
    x = torch.randn(1, 3, requires_grad=True)
    loss = orthogonality_loss(x=x, y=torch.randn(1, 2))
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(x.grad).all()
