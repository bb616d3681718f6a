"""Losses of the steps of sequences that are not equally long."""

import torch
import torch.nn.functional as F
from torch import Tensor


def step_reconstruction_loss(*, reconstruction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over the valid steps of a batch.

    Parameters
    ----------
    reconstruction, target : Tensor, shape (B, L, d)
        What was rebuilt and what it should be.
    mask : Tensor of bool, shape (B, L)
        True for valid steps.

    Returns
    -------
    Tensor
        Scalar >= 0; 0 with a gradient of 0 if no step is valid.

    Notes
    -----
    Li et al., DMD, CVPR 2023, L_rec and L_cyc, as a mean and over valid steps alone.
    """
    return _mean((reconstruction - target).square().mean(dim=2), mask)


def step_orthogonality_loss(*, x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """Mean over the valid steps of a batch of the positive part of the cosine of two codes.

    Parameters
    ----------
    x, y : Tensor, shape (B, L, d)
        Two codes of each step.
    mask : Tensor of bool, shape (B, L)
        True for valid steps.

    Returns
    -------
    Tensor
        Scalar from 0, where all angles are right or obtuse, to 1 for parallel codes; 0 with a
        gradient of 0 if no step is valid.

    Notes
    -----
    Li et al., DMD, CVPR 2023, L_ort; the positive part is that of the authors' code, a cosine
    embedding loss. It looks at each step by itself: codes that depend on each other may be
    orthogonal.
    """
    return _mean(F.cosine_similarity(x, y, dim=2).clamp(min=0.0), mask)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp(min=1)
