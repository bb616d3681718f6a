"""Regression loss on the labelled rows of a batch."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

RegressionKind = Literal["l1", "mse", "mse_l1", "logistic"]
# Sentiment is annotated within these bounds.
_LIMIT = 3.0


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
    kind : {"l1", "mse", "mse_l1", "logistic"}
        Absolute or squared error; the sum of the squared error and the absolute one of prediction
        and target clamped to -3 and 3; or, for two classes, the cross entropy of the target's sign
        with the prediction as log odds, in which a target of 0 is of the negative class.

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
    if kind not in get_args(RegressionKind):
        raise ValueError(f"kind must be one of {get_args(RegressionKind)}, got {kind!r}")
    # A missing target is replaced before the subtraction: a NaN there would reach the gradient.
    target = torch.where(has_target, target, prediction.detach())
    error = torch.where(has_target, _error(prediction, target, kind), 0.0)
    return error.sum() / has_target.sum().clamp(min=1)


def _error(prediction: Tensor, target: Tensor, kind: RegressionKind) -> Tensor:
    if kind == "logistic":
        return F.softplus(torch.where(target > 0.0, -prediction, prediction))
    difference = prediction - target
    if kind == "l1":
        return difference.abs()
    if kind == "mse":
        return difference.square()
    clamped = prediction.clamp(-_LIMIT, _LIMIT) - target.clamp(-_LIMIT, _LIMIT)
    return difference.square() + clamped.abs()
