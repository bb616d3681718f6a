"""Barlow Twins loss: two views of a batch should have an identity cross-correlation."""

from torch import Tensor

from models.losses.standardisation import standardise


def barlow_twins_loss(
    *, a: Tensor, b: Tensor, off_diagonal_weight: float | None = None, epsilon: float = 1e-5
) -> Tensor:
    """Distance of the cross-correlation matrix of two views from the identity.

    ``sum_k (1 - C_kk)^2 + w sum_{k != l} C_kl^2`` with C the correlation over the batch.

    Parameters
    ----------
    a, b : Tensor, shape (B, d)
        Two views of the same B items.
    off_diagonal_weight : float, optional
        w, >= 0; 1/d without it (Tsai et al., arXiv 2104.13712).
    epsilon : float
        Added to each variance (of the biased kind), > 0.

    Returns
    -------
    Tensor
        Scalar >= 0: 0 for identical views with uncorrelated columns, about d for independent
        ones, and 0 with a gradient of 0 for a batch of fewer than two rows, which has no
        correlation.

    Notes
    -----
    Zbontar et al., Barlow Twins, ICML 2021, eq. 1-2; the consistency loss of MInD.
    """
    batch, width = a.shape
    if batch < 2:
        return (a.sum() + b.sum()) * 0.0
    weight = 1.0 / width if off_diagonal_weight is None else off_diagonal_weight
    a, b = (standardise(values=view, epsilon=epsilon) for view in (a, b))
    correlation = a.T @ b / batch
    diagonal = correlation.diagonal()
    off_diagonal = correlation.square().sum() - diagonal.square().sum()
    return (1.0 - diagonal).square().sum() + weight * off_diagonal
