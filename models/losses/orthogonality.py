"""Soft orthogonality of two codes."""

from torch import Tensor


def _unit_rows(values: Tensor, epsilon: float) -> Tensor:
    centred = values - values.mean(dim=0)
    lengths: Tensor = centred.detach().norm(dim=1, keepdim=True)
    return centred / (lengths + epsilon)


def orthogonality_loss(*, x: Tensor, y: Tensor, epsilon: float = 1e-6) -> Tensor:
    """Mean squared entry of the product of two codes of a batch.

    Each code is centred over the batch and its rows are scaled to length 1, with lengths that
    take no part in the gradient; then ``mean_{kl} (X^T Y)_kl^2``.

    Parameters
    ----------
    x : Tensor, shape (B, d_x)
        One code.
    y : Tensor, shape (B, d_y)
        The other.
    epsilon : float
        Added to the lengths, > 0.

    Returns
    -------
    Tensor
        Scalar >= 0; 0 if either code is constant over the batch, so 0 for a single row.

    Notes
    -----
    Hazarika et al., MISA, ACM Multimedia 2020, the difference loss as their code computes it. Like
    any product of codes it sees linear dependence only.
    """
    return (_unit_rows(x, epsilon).T @ _unit_rows(y, epsilon)).square().mean()
