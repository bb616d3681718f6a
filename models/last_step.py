"""The last valid step of each sequence."""

import torch
from torch import Tensor


def last_step(*, values: Tensor, mask: Tensor) -> Tensor:
    """Take the last valid step.

    Parameters
    ----------
    values : Tensor, shape (B, L, d)
        Sequences, L >= 1.
    mask : Tensor of bool, shape (B, L)
        True for valid steps, which come first in each row.

    Returns
    -------
    Tensor, shape (B, d)
        Last valid steps; zeros where there is none.
    """
    lengths = mask.sum(dim=1)
    rows = torch.arange(len(lengths), device=lengths.device)
    last = values[rows, (lengths - 1).clamp(min=0)]
    return torch.where((lengths > 0)[:, None], last, 0.0)
