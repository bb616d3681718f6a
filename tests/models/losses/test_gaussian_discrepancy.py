import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import rbf_kernel

from models.losses.gaussian_discrepancy import gaussian_discrepancy


@pytest.mark.parametrize(("width", "shift"), [(1, 0.0), (2, 1.0), (4, 2.0), (8, 3.0)])
def test_it_is_the_discrepancy_from_a_large_sample(width, shift):
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(12, width)) * 0.5 + shift
    drawn, other = rng.normal(size=(2, 3000, width))
    gamma = 1 / width**2
    expected = (
        rbf_kernel(codes, codes, gamma=gamma).mean()
        - 2 * rbf_kernel(codes, drawn, gamma=gamma).mean()
        + rbf_kernel(drawn, other, gamma=gamma).mean()
    )
    found = gaussian_discrepancy(codes=torch.from_numpy(codes)).item()
    assert found == pytest.approx(expected, abs=0.01)
    assert found > 0.01


def test_normal_codes_have_nearly_none():
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(2000, 4, generator=generator)
    near = gaussian_discrepancy(codes=normal)
    assert near < 1e-3
    for other in (normal * 3, normal + 1, normal * 0.1):
        assert gaussian_discrepancy(codes=other) > 10 * near


@given(rows=st.integers(1, 6), width=st.integers(1, 40), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_it_is_never_negative(rows, width, seed):
    codes = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))
    assert gaussian_discrepancy(codes=codes) >= 0


def test_its_gradient_brings_codes_to_a_normal_distribution():
    generator = torch.Generator().manual_seed(1)
    codes = (torch.randn(100, 2, generator=generator) * 0.2 + 2).requires_grad_()
    optimiser = torch.optim.Adam([codes], lr=0.05)
    for _ in range(800):
        optimiser.zero_grad()
        gaussian_discrepancy(codes=codes).backward()
        optimiser.step()
    found = codes.detach().numpy()
    assert found.mean(axis=0) == pytest.approx(0, abs=0.1)
    assert found.std(axis=0) == pytest.approx(1, abs=0.15)
