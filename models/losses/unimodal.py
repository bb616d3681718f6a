"""Error of a single modality's prediction, weighted by how far its label is from the common one."""

import torch
from torch import Tensor


def unimodal_loss(
    *,
    prediction: Tensor,
    label: Tensor,
    target: Tensor,
    has_target: Tensor,
    weighted: bool = True,
) -> Tensor:
    """Mean over the labelled rows of ``tanh|y_s - y_M| * |prediction - y_s|``.

    Parameters
    ----------
    prediction : Tensor, shape (B,)
        Predicted by one modality.
    label : Tensor, shape (B,)
        y_s, the label of that modality.
    target : Tensor, shape (B,)
        y_M, the common label; any value where ``has_target`` is False.
    has_target : Tensor of bool, shape (B,)
        Which rows count.
    weighted : bool
        Whether there is the factor in front; it takes no part in the gradient.

    Returns
    -------
    Tensor
        Scalar; 0 with a gradient of 0 if the labels are the common ones, as in the first epoch,
        or if no row is labelled.

    Notes
    -----
    Yu et al., Self-MM, AAAI 2021, optimisation objectives.
    """
    label = torch.where(has_target, label, prediction).detach()
    target = torch.where(has_target, target, label).detach()
    error = (prediction - label).abs()
    if weighted:
        error = (label - target).abs().tanh() * error
    return error.sum() / has_target.sum().clamp(min=1)
