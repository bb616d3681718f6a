"""Logarithm of a loss, so that losses of any scale weigh the same."""

import torch
from torch import Tensor


def log_balance(*, loss: Tensor, floor: float) -> Tensor:
    """Logarithm of a loss that is at least ``floor``, its tangent at ``floor`` below.

    The gradient is that of the loss divided by the loss, or by ``floor`` if the loss is smaller,
    so that neither it nor the value is ever infinite.

    Parameters
    ----------
    loss : Tensor
        Scalar >= 0.
    floor : float
        Where the logarithm turns into a line, > 0.

    Returns
    -------
    Tensor
        Scalar, >= log(floor) - 1.

    Raises
    ------
    ValueError
        If ``floor`` is not positive.

    Notes
    -----
    MIRD adds logarithms of losses; the line below ``floor`` is ours.
    """
    if not floor > 0.0:
        raise ValueError(f"floor must be positive, got {floor}")
    bounded = loss.clamp(min=floor)
    return bounded.log() + torch.where(loss < floor, loss / floor - 1.0, 0.0)
