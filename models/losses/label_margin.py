"""Codes of equal labels closer together than those of different ones."""

import torch
import torch.nn.functional as F
from torch import Tensor


def label_margin_loss(*, codes: Tensor, labels: Tensor, margin: float = 0.15) -> Tensor:
    """Triplet loss on cosines with a margin that grows with the distance of labels.

    The mean over anchors i of the mean over codes j of the same label and codes k of another one
    of ``max(0, margin |y_i - y_k| - cos(c_i, c_j) + cos(c_i, c_k))``. Anchors without any such j
    or k do not count.

    Parameters
    ----------
    codes : Tensor, shape (N, d)
        Codes, of all modalities of a batch one below the other.
    labels : Tensor, shape (N,)
        Their labels.
    margin : float
        Margin for each unit of the labels' distance, >= 0.

    Returns
    -------
    Tensor
        Scalar >= 0; 0 with a gradient of 0 if no anchor counts.

    Raises
    ------
    ValueError
        If the margin is negative.

    Notes
    -----
    Li et al., DMD, CVPR 2023, L_mar, as the authors' code has it: i, j and k may be of any
    modality. Memory grows with the number of pairs of equal labels times N.
    """
    if margin < 0.0:
        raise ValueError(f"margin must be >= 0, got {margin}")
    unit = F.normalize(codes, dim=1)
    cosines = unit @ unit.T
    same = labels[:, None] == labels[None]
    own = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    anchors, positives = (same & ~own).nonzero(as_tuple=True)
    negatives = (~same)[anchors]
    bounds = margin * (labels[:, None] - labels[None]).abs() + cosines
    excess = (bounds[anchors] - cosines[anchors, positives][:, None]).clamp(min=0.0)
    triplets = ((same & ~own).sum(dim=1) * (~same).sum(dim=1))[anchors]
    means = torch.where(negatives, excess, 0.0).sum(dim=1) / triplets.clamp(min=1)
    counted = ((same & ~own).any(dim=1) & (~same).any(dim=1)).sum()
    return means.sum() / counted.clamp(min=1) + 0.0 * codes.sum()
