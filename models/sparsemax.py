"""Sparsemax: a softmax that gives most steps a weight of exactly 0."""

import torch
from torch import Tensor


def sparsemax(*, scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Project scores onto the probability simplex, along the last axis.

    With the scores sorted downwards as z_(1), z_(2), ..., the support is the largest k with
    ``1 + k z_(k) > sum_{j <= k} z_(j)``, the threshold ``tau = (sum_{j <= k} z_(j) - 1) / k``, and
    the weights are ``max(z - tau, 0)``.

    Parameters
    ----------
    scores : Tensor, shape (..., L)
        Any finite values where ``mask`` is True; L >= 1.
    mask : Tensor of bool, broadcastable to (..., L), optional
        False for the steps that get no weight; all may have one without it.

    Returns
    -------
    Tensor, shape (..., L)
        Weights >= 0 that add up to 1 in each row; zeros in a row whose mask is False throughout.

    Notes
    -----
    Martins and Astudillo, ICML 2016, algorithm 1. Two scores (t, 0) give
    ``min(max((t + 1) / 2, 0), 1)`` for the first.
    """
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    mask = mask.expand_as(scores)
    # Only scores within 1 of the largest can be in the support, so -2 below it is out of it.
    z = scores.to(torch.promote_types(scores.dtype, torch.float32))
    largest = z.masked_fill(~mask, -torch.inf).amax(dim=-1, keepdim=True).detach()
    shifted = (z - largest.masked_fill(largest.isinf(), 0.0)).masked_fill(~mask, -2.0)
    ordered = shifted.sort(dim=-1, descending=True).values
    ranks = torch.arange(1, z.shape[-1] + 1, device=z.device, dtype=z.dtype)
    sums = ordered.cumsum(dim=-1)
    support = (1.0 + ranks * ordered > sums).sum(dim=-1, keepdim=True)
    threshold = (sums.gather(-1, support - 1) - 1.0) / support
    return ((shifted - threshold).clamp(min=0.0) * mask).to(scores.dtype)
