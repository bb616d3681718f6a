"""Hilbert-Schmidt independence criterion with the inner-product kernel."""

from torch import Tensor


def hsic(*, x: Tensor, y: Tensor) -> Tensor:
    """Linear HSIC of two codes of the same batch.

    ``tr(K U L U) / (n - 1)^2`` with ``K = x x^T``, ``L = y y^T`` and the centring matrix U, which
    equals the squared Frobenius norm of the cross-covariance matrix. The cheaper of two equal
    forms is computed: over features, O(n d_x d_y), or over samples, O(n^2 (d_x + d_y)).

    Parameters
    ----------
    x : Tensor, shape (n, d_x)
        One code.
    y : Tensor, shape (n, d_y)
        The other.

    Returns
    -------
    Tensor
        Scalar >= 0; 0 if either code is constant over the batch, and 0 with a gradient of 0 for
        a batch of fewer than two rows.

    Notes
    -----
    Gretton et al., ALT 2005; the difference loss of MInD. It sees linear dependence only, and
    smaller activations lower it too.
    """
    n = len(x)
    if n < 2:
        return (x.sum() + y.sum()) * 0.0
    x_centred, y_centred = x - x.mean(dim=0), y - y.mean(dim=0)
    if x.shape[1] * y.shape[1] < n * (x.shape[1] + y.shape[1]):
        total = (x_centred.T @ y_centred).square().sum()
    else:
        total = ((x_centred @ x_centred.T) * (y_centred @ y_centred.T)).sum()
    return total / (n - 1) ** 2
