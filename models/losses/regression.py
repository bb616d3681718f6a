"""Regression loss on the labelled rows of a batch."""

from typing import Literal

import torch
from torch import Tensor

RegressionKind = Literal["l1", "mse"]


def regression_loss(
    *, prediction: Tensor, target: Tensor, has_target: Tensor, kind: RegressionKind = "l1"
) -> Tensor:
    """Mean error over the rows that have a target.

    Parameters
    ----------
    prediction : Tensor, shape (B,)
        Predicted sentiment.
    target : Tensor, shape (B,)
        True sentiment; any value where ``has_target`` is False.
    has_target : Tensor of bool, shape (B,)
        Which rows count.
    kind : {"l1", "mse"}
        Absolute or squared error.

    Returns
    -------
    Tensor
        Scalar; 0 with a gradient of 0 if no row has a target.

    Raises
    ------
    ValueError
        If ``kind`` is unknown.

    Examples
    --------
    >>> regression_loss(
    ...     prediction=torch.tensor([1.0, 5.0]),
    ...     target=torch.tensor([3.0, 0.0]),
    ...     has_target=torch.tensor([True, False]),
    ... )
    tensor(2.)
    """
    if kind not in ("l1", "mse"):
        raise ValueError(f"kind must be 'l1' or 'mse', got {kind!r}")
    # A missing target is replaced before the subtraction: a NaN there would reach the gradient.
    error = prediction - torch.where(has_target, target, prediction.detach())
    error = error.abs() if kind == "l1" else error.square()
    return error.sum() / has_target.sum().clamp(min=1)
