import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from models.losses.gaussian_entropy import gaussian_entropy


def sample(rows, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    return torch.randn(rows, width, generator=generator, dtype=torch.float64) @ mixing + 3.0


@pytest.mark.parametrize(("rows", "width", "ridge"), [(40, 3, 1e-4), (9, 1, 0.5), (3, 5, 0.1)])
def test_it_is_that_of_the_normal_distribution_with_this_covariance(rows, width, ridge):
    codes = sample(rows, width)
    covariance = np.cov(codes.numpy(), rowvar=False, bias=True).reshape(width, width)
    expected = multivariate_normal(cov=covariance + ridge * np.eye(width)).entropy()
    assert gaussian_entropy(codes=codes, ridge=ridge).item() == pytest.approx(expected)


def test_it_approaches_the_entropy_of_what_codes_are_drawn_from():
    codes = torch.randn(20000, 2, generator=torch.Generator().manual_seed(0)) * 0.3
    expected = math.log(2 * math.pi * math.e * 0.09)
    assert gaussian_entropy(codes=codes).item() == pytest.approx(expected, abs=0.02)


def test_a_shift_and_a_turn_change_nothing():
    codes = sample(20, 3)
    turn, _ = torch.linalg.qr(sample(3, 3, seed=1))
    torch.testing.assert_close(
        gaussian_entropy(codes=codes @ turn - 7), gaussian_entropy(codes=codes)
    )


def test_codes_in_fewer_dimensions_have_a_finite_gradient_within_them():
    codes = sample(6, 4)
    codes[:, 2:] = 1.0
    codes.requires_grad_()
    entropy = gaussian_entropy(codes=codes)
    entropy.backward()
    assert torch.isfinite(entropy)
    assert codes.grad[:, :2].any()
    assert not codes.grad[:, 2:].any()


@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_than_two_rows_have_none(rows):
    codes = sample(rows, 3).requires_grad_()
    entropy = gaussian_entropy(codes=codes)
    entropy.backward()
    assert entropy == 0
    assert not codes.grad.any()
