import numpy as np
import pytest
import torch

from models.losses.graph_edges import edge_distillation_loss, edge_prior_loss

THERE = torch.tensor([[True, True, False], [True, False, False], [True, True, False]])
PRIOR = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)


def values(seed):
    return torch.rand(3, 3, generator=torch.Generator().manual_seed(seed)).double()


def columns(array):
    """Each edge's values of the clips that have it; no column for an edge that none has."""
    there = THERE.numpy()
    return [array.numpy()[there[:, e], e] for e in range(3) if there[:, e].any()]


def test_distillation_sums_means_over_the_clips_that_have_an_edge():
    distances, weights = values(1), values(2)
    expected = sum(column.mean() for column in columns(distances * weights))
    found = edge_distillation_loss(distances=distances, weights=weights, there=THERE)
    assert found.item() == pytest.approx(expected)


def test_distillation_is_the_entrywise_norm_of_both_matrices_for_one_clip():
    distances, weights = values(1)[:1], values(2)[:1]
    expected = np.abs(distances.numpy() * weights.numpy()).sum()
    there = torch.ones(1, 3, dtype=torch.bool)
    found = edge_distillation_loss(distances=distances, weights=weights, there=there)
    assert found.item() == pytest.approx(expected)


def test_prior_is_a_squared_distance_of_means():
    edges = values(4)
    means = np.array([column.mean() for column in columns(edges)])
    found = edge_prior_loss(edges=edges, prior=PRIOR, there=THERE)
    assert found.item() == pytest.approx(np.square(means - PRIOR.numpy()[:2]).sum())
    exact = PRIOR.expand(3, 3)
    assert edge_prior_loss(edges=exact, prior=PRIOR, there=THERE).item() == pytest.approx(0.0)


def test_no_edge_gives_zero_with_a_gradient_of_zero():
    edges = values(1).requires_grad_()
    nothing = torch.zeros_like(THERE)
    loss = edge_prior_loss(edges=edges, prior=PRIOR, there=nothing)
    loss = loss + edge_distillation_loss(distances=values(2), weights=edges, there=nothing)
    loss.backward()
    assert loss.item() == 0.0
    assert not edges.grad.any()
