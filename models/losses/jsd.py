"""Jensen-Shannon estimate of mutual information, as a loss."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor


def jsd_loss(
    *, statistics: Callable[[Tensor, Tensor], Tensor], x: Tensor, z: Tensor, shift: int = 1
) -> Tensor:
    """Negative Jensen-Shannon estimate of the mutual information of x and its code z.

    ``mean_i sp(-T(x_i, z_i)) + mean_i sp(T(x_i, z_j))`` with ``sp(u) = log(1 + exp(u))`` and
    ``j = (i + shift) mod B``. Rolling the batch never pairs a row with itself, which a random
    permutation would.

    Parameters
    ----------
    statistics : callable
        Statistics network T: x of shape (B, d_x) and z of shape (B, d_z) to scores of shape (B,).
    x : Tensor, shape (B, d_x)
        What the code was made from.
    z : Tensor, shape (B, d_z)
        The code.
    shift : int
        By how much the codes are rolled for the negative pairs, 1 to B - 1.

    Returns
    -------
    Tensor
        Scalar, 2 log 2 for a T that is 0 everywhere, less for one that tells pairs apart; 0 with
        a gradient of 0 for a batch of fewer than two rows, which has no negative pair.

    Notes
    -----
    MInD (Dai et al., arXiv 2401.11818) eq. 5; the estimator is that of Deep InfoMax (Hjelm et
    al., ICLR 2019).
    """
    positive = statistics(x, z)
    if len(x) < 2:
        return positive.sum() * 0.0
    negative = statistics(x, z.roll(-shift, dims=0))
    return F.softplus(-positive).mean() + F.softplus(negative).mean()
