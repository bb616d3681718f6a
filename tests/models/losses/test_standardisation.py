import numpy as np
import torch
from sklearn.preprocessing import StandardScaler

from models.losses.standardisation import standardise


def test_against_scikit_learn():
    values = np.random.default_rng(0).normal(3, [0.5, 20], (40, 2))
    ours = standardise(values=torch.from_numpy(values), epsilon=1e-12)
    np.testing.assert_allclose(ours.numpy(), StandardScaler().fit_transform(values), atol=1e-9)


def test_constant_columns_become_zero_with_a_finite_gradient():
    values = torch.full((5, 2), 7.0, requires_grad=True)
    out = standardise(values=values)
    assert not out.any()
    out.square().sum().backward()
    assert torch.isfinite(values.grad).all()
