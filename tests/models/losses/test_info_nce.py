import math

import numpy as np
import pytest
import torch

from models.losses.info_nce import info_nce_loss


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("batch", "width"), [(2, 3), (7, 4), (20, 2)])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_against_a_loop_over_elements(batch, width, temperature):
    a, b = random(batch, width), 5 * random(batch, width, seed=1) + 2
    views = []
    for view in (a.numpy(), b.numpy()):
        columns = [(c - np.mean(c)) / math.sqrt(np.var(c) + 1e-5) for c in view.T]
        views.append(
            [row / math.sqrt(sum(v * v for v in row)) for row in np.stack(columns, axis=1)]
        )
    total = 0.0
    for one, other in (views, views[::-1]):
        for i in range(batch):
            scores = [float(np.dot(one[i], other[j])) / temperature for j in range(batch)]
            total -= scores[i] - math.log(sum(math.exp(score) for score in scores))
    ours = info_nce_loss(a=a, b=b, temperature=temperature).item()
    assert ours == pytest.approx(total / (2 * batch), rel=1e-9)


def test_same_codes_are_found_and_constant_ones_are_not():
    codes = random(16, 8)
    assert info_nce_loss(a=codes, b=codes, temperature=0.05).item() < 0.01
    constant = torch.ones(16, 8, dtype=torch.float64)
    assert info_nce_loss(a=codes, b=constant).item() == pytest.approx(math.log(16))


def test_location_and_scale_of_columns_do_not_matter():
    a, b = random(10, 4), random(10, 4, seed=1)
    scale = torch.tensor([10.0, 3.0, 50.0, 7.0], dtype=torch.float64)
    changed = info_nce_loss(a=a * scale + 9.0, b=b)
    torch.testing.assert_close(changed, info_nce_loss(a=a, b=b), rtol=1e-4, atol=1e-4)


def test_symmetric():
    a, b = random(10, 4), random(10, 4, seed=1)
    torch.testing.assert_close(info_nce_loss(a=a, b=b), info_nce_loss(a=b, b=a))


def test_gradient_is_that_of_finite_differences():
    a = random(5, 3).requires_grad_()
    b = random(5, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: info_nce_loss(a=a, b=b, temperature=0.5), (a, b))


def test_constant_codes_have_a_finite_gradient():
    a, b = torch.ones(4, 3, requires_grad=True), torch.randn(4, 3)
    info_nce_loss(a=a, b=b).backward()
    assert torch.isfinite(a.grad).all()


def test_single_row_is_zero_with_a_graph():
    a, b = torch.randn(1, 4, requires_grad=True), torch.randn(1, 4, requires_grad=True)
    loss = info_nce_loss(a=a, b=b)
    loss.backward()
    assert loss.item() == 0
    assert not a.grad.any()
    assert not b.grad.any()


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_must_be_positive(temperature):
    with pytest.raises(ValueError, match="temperature"):
        info_nce_loss(a=torch.ones(2, 1), b=torch.ones(2, 1), temperature=temperature)
