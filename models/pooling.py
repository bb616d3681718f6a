"""Reductions over time that look at valid steps only."""

import torch.nn.functional as F
from torch import Tensor


def masked_mean(*, values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the valid steps.

    Parameters
    ----------
    values : Tensor, shape (..., L, D)
        Sequences; the values of invalid steps do not matter, as long as they are finite.
    mask : Tensor of bool, shape (..., L)
        True where a step is valid.

    Returns
    -------
    Tensor, shape (..., D)
        Means; zeros where no step is valid.
    """
    weights = mask.unsqueeze(-1).to(values.dtype)
    return (values * weights).sum(dim=-2) / weights.sum(dim=-2).clamp(min=1.0)


def average_windows(*, values: Tensor, mask: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Average every ``size`` steps into one.

    Parameters
    ----------
    values : Tensor, shape (B, L, D)
        Sequences.
    mask : Tensor of bool, shape (B, L)
        True where a step is valid.
    size : int
        Steps per window, >= 1; 1 changes nothing.

    Returns
    -------
    values : Tensor, shape (B, ceil(L / size), D)
        Mean of the valid steps of each window, zeros where it has none.
    mask : Tensor of bool, shape (B, ceil(L / size))
        True where a window has a valid step.

    Raises
    ------
    ValueError
        If ``size`` is below 1.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1 step, got {size}")
    if size == 1:
        return values, mask
    batch, length, width = values.shape
    windows = -(-length // size)
    padding = windows * size - length
    values = F.pad(values, (0, 0, 0, padding)).view(batch, windows, size, width)
    mask = F.pad(mask, (0, padding)).view(batch, windows, size)
    return masked_mean(values=values, mask=mask), mask.any(dim=-1)
