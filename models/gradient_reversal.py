"""Gradient reversal and its schedule (Ganin and Lempitsky, ICML 2015)."""

import math
from typing import Any

import torch
from torch import Tensor


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor, coefficient: float) -> Tensor:
        ctx.coefficient = coefficient
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.coefficient * gradients[0], None


def reverse_gradient(*, tensor: Tensor, coefficient: float) -> Tensor:
    """Pass a tensor on unchanged and multiply its gradient by ``-coefficient``.

    Parameters
    ----------
    tensor : Tensor
        Of any shape.
    coefficient : float
        Strength of the reversal, >= 0; 0 stops the gradient.

    Returns
    -------
    Tensor
        The same values.
    """
    reversed_: Tensor = _ReverseGradient.apply(tensor, coefficient)  # type: ignore[no-untyped-call]
    return reversed_


def reversal_coefficient(*, progress: float) -> float:
    """Strength of the reversal over the training: ``2 / (1 + exp(-10 p)) - 1``.

    Parameters
    ----------
    progress : float
        Share p of the planned training that is done, 0 to 1.

    Returns
    -------
    float
        From 0 at the start to 0.9999 at the end.

    Raises
    ------
    ValueError
        If ``progress`` is outside 0 to 1.

    Examples
    --------
    >>> round(reversal_coefficient(progress=0.1), 3)
    0.462
    """
    if not 0.0 <= progress <= 1.0:
        raise ValueError(f"progress must be a share between 0 and 1, got {progress}")
    return 2.0 / (1.0 + math.exp(-10.0 * progress)) - 1.0
