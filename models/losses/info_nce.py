"""InfoNCE: the codes of two modalities should tell which belong to the same clip."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.losses.standardisation import standardise


def info_nce_loss(*, a: Tensor, b: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross entropy of finding each row of one view among all rows of the other, both ways.

    ``-1/(2B) sum_i [log softmax_j(c_ij / t)_i + log softmax_j(c_ji / t)_i]`` with c_ij the cosine
    of ``a_i`` and ``b_j`` after each column of either view is standardised over the batch, which
    keeps codes from collapsing into a cone in which all cosines are 1.

    Parameters
    ----------
    a, b : Tensor, shape (B, d)
        Two views of the same B items.
    temperature : float
        t, > 0.

    Returns
    -------
    Tensor
        Scalar >= 0: log B for codes that tell nothing, next to 0 for those that tell all; 0 with a
        gradient of 0 for a batch of fewer than two rows.

    Raises
    ------
    ValueError
        If the temperature is not positive.

    Notes
    -----
    van den Oord et al., arXiv 1807.03748, eq. 4; both directions as in Radford et al., CLIP, ICML
    2021. ``log B`` less the loss is a lower bound of the mutual information of the views.
    """
    if not temperature > 0.0:
        raise ValueError(f"temperature must be > 0, got {temperature}")
    if len(a) < 2:
        return (a.sum() + b.sum()) * 0.0
    a, b = (F.normalize(standardise(values=view), dim=1) for view in (a, b))
    scores = a @ b.T / temperature
    own = torch.arange(len(a), device=a.device)
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2.0
