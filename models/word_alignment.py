"""Frames brought to words without knowing when a word is said."""

import torch
from torch import Tensor


def proportional_alignment(*, steps: Tensor, frames: Tensor) -> Tensor:
    """Weights that spread frames over steps in proportion to their places.

    Step j of n takes the mean of what lies between j/n and (j + 1)/n of the frames, whose last
    valid one ends at 1. As many frames as steps give the identity: data that is aligned to words
    stays as it is.

    Parameters
    ----------
    steps : Tensor of bool, shape (B, L)
        True for the n steps that get something, in their order; others get nothing.
    frames : Tensor of bool, shape (B, T)
        True where a frame is valid.

    Returns
    -------
    Tensor of float32, shape (B, L, T)
        Weights >= 0, which add up to 1 for a step that a valid frame overlaps, and are 0 for any
        other.
    """
    numbers = (steps.cumsum(dim=1) - 1).float()
    n = steps.sum(dim=1).clamp(min=1)[:, None, None]
    places = torch.arange(frames.shape[1], device=frames.device)
    total = torch.where(frames, places + 1, 0).amax(dim=1).clamp(min=1)[:, None, None]
    # in units of 1 / (n * total), so that borders are whole numbers and overlaps exact
    begin, frame = numbers[:, :, None] * total, places[None, None, :] * n
    overlap = torch.minimum(begin + total, frame + n) - torch.maximum(begin, frame)
    weights = overlap.clamp(min=0.0) * steps[:, :, None] * frames[:, None, :]
    return weights / weights.sum(dim=2, keepdim=True).clamp(min=1.0)
