import math

import numpy as np
import pytest
import torch

from models.losses.jsd import jsd_loss


def inner_product(x, z):
    return (x * z).sum(dim=1)


def test_zero_statistics_give_two_log_two():
    x, z = torch.randn(7, 3), torch.randn(7, 5)
    loss = jsd_loss(statistics=lambda x, z: 0.0 * x.sum(dim=1), x=x, z=z)
    assert loss.item() == pytest.approx(2 * math.log(2), abs=1e-6)


@pytest.mark.parametrize(("batch", "shift"), [(2, 1), (3, 1), (8, 1), (8, 5)])
def test_against_a_loop_over_pairs(batch, shift):
    x, z = torch.randn(batch, 4, dtype=torch.float64), torch.randn(batch, 4, dtype=torch.float64)
    a, b = x.numpy(), z.numpy()
    positive = [np.log1p(np.exp(-a[i] @ b[i])) for i in range(batch)]
    negative = [np.log1p(np.exp(a[i] @ b[(i + shift) % batch])) for i in range(batch)]
    expected = np.mean(positive) + np.mean(negative)
    ours = jsd_loss(statistics=inner_product, x=x, z=z, shift=shift).item()
    assert ours == pytest.approx(expected, rel=1e-12)


def test_no_negative_is_a_positive():
    rows = torch.arange(5.0)[:, None]
    seen = []

    def record(x, z):
        seen.append((x != z).squeeze(1))
        return x.squeeze(1)

    jsd_loss(statistics=record, x=rows, z=rows)
    assert not seen[0].any()
    assert seen[1].all()


def test_dependent_codes_score_better_than_independent_ones():
    x = torch.randn(256, 6)
    dependent = jsd_loss(statistics=inner_product, x=x, z=x)
    independent = jsd_loss(statistics=inner_product, x=x, z=torch.randn(256, 6))
    assert dependent < 2 * math.log(2) < independent


def test_single_row_is_zero_with_a_graph():
    x, z = torch.randn(1, 4, requires_grad=True), torch.randn(1, 4, requires_grad=True)
    loss = jsd_loss(statistics=inner_product, x=x, z=z)
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()
    assert not z.grad.any()
