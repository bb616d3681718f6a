"""Losses of the edges of a graph of modalities that teach each other."""

import torch
from torch import Tensor


def edge_distillation_loss(*, distances: Tensor, weights: Tensor, there: Tensor) -> Tensor:
    """Sum over edges of the mean over clips of how far a student is from its teacher, weighted.

    Parameters
    ----------
    distances : Tensor, shape (B, E)
        Distance of the two ends of each of E edges, >= 0.
    weights : Tensor, shape (B, E)
        Weight of each edge.
    there : Tensor of bool, shape (B, E)
        Whether a clip has both ends.

    Returns
    -------
    Tensor
        Scalar; 0 with a gradient of 0 without any edge that is there.

    Notes
    -----
    Li et al., DMD, CVPR 2023, graph distillation, as the authors' code has it.
    """
    return _means(distances * weights, there).sum()


def edge_prior_loss(*, edges: Tensor, prior: Tensor, there: Tensor) -> Tensor:
    """Squared distance of the mean strength of each edge from what it should be.

    Parameters
    ----------
    edges : Tensor, shape (B, E)
        Strengths of the edges.
    prior : Tensor, shape (E,)
        What their means should be.
    there : Tensor of bool, shape (B, E)
        Whether a clip has the edge.

    Returns
    -------
    Tensor
        Scalar >= 0, summed over the edges that some clip has; 0 without any.

    Notes
    -----
    Li et al., DMD, CVPR 2023: the authors' code adds it to the distillation.
    """
    distances = (_means(edges, there) - prior).square()
    return torch.where(there.any(dim=0), distances, 0.0).sum()


def _means(values: Tensor, there: Tensor) -> Tensor:
    return torch.where(there, values, 0.0).sum(dim=0) / there.sum(dim=0).clamp(min=1)
