"""Hilbert-Schmidt independence criterion: how much two codes depend on each other."""

from collections.abc import Callable

import torch
from torch import Tensor

# Keeps what a constant code is divided by, and its gradient, finite.
_LEAST_SQUARE = 1e-12


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
    Gretton et al., ALT 2005, eq. 9; the difference loss of MInD. It sees linear dependence only,
    and smaller activations lower it too.
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


def rbf_hsic(*, x: Tensor, y: Tensor) -> Tensor:
    """HSIC of two codes with Gaussian kernels, which also sees dependence that is not linear.

    ``tr(K U L U) / (n - 1)^2`` with ``K_ij = exp(-|x_i - x_j|^2 / (2 m))``, m the median of the
    squared distances of different rows, and L likewise. Gradients do not pass through the medians.
    Costs O(n^2 (d_x + d_y)) time and memory.

    Parameters
    ----------
    x : Tensor, shape (n, d_x)
        One code.
    y : Tensor, shape (n, d_y)
        The other.

    Returns
    -------
    Tensor
        Scalar >= 0, the same for a code times any constant; 0 if either code is constant over the
        batch, and 0 with a gradient of 0 for a batch of fewer than two rows.

    Notes
    -----
    Gretton et al., ALT 2005, eq. 9, with the bandwidth of Gretton et al., JMLR 13, 2012, sec. 8.
    The estimate is biased: independent codes have about ``(1 - mean K)(1 - mean L) / n``.
    """
    n = len(x)
    if n < 2:
        return (x.sum() + y.sum()) * 0.0
    return (_centred(_gaussian(x)) * _centred(_gaussian(y))).sum() / (n - 1) ** 2


def normalised_hsic(*, x: Tensor, y: Tensor, criterion: Callable[..., Tensor] = rbf_hsic) -> Tensor:
    """HSIC of two codes over the root of those with themselves, which has no scale.

    Parameters
    ----------
    x : Tensor, shape (n, d_x)
        One code.
    y : Tensor, shape (n, d_y)
        The other.
    criterion : callable
        :func:`rbf_hsic` or :func:`hsic`.

    Returns
    -------
    Tensor
        Scalar, 0 to 1: 1 for a code with itself, 0 if either is constant over the batch, and 0
        with a gradient of 0 for a batch of fewer than two rows.

    Notes
    -----
    Kornblith et al., ICML 2019, eq. 4: centred kernel alignment.
    """
    own = criterion(x=x, y=x) * criterion(x=y, y=y)
    return criterion(x=x, y=y) / (own + _LEAST_SQUARE).sqrt()


def _gaussian(code: Tensor) -> Tensor:
    # Differences, not products: rounding must not tell equal rows apart.
    distances = (code[:, None] - code).square().sum(dim=2)
    n = len(code)
    different = ~torch.eye(n, dtype=torch.bool, device=code.device)
    median = distances.detach()[different].median()
    return torch.exp(-distances / (2.0 * median.clamp(min=_LEAST_SQUARE)))


def _centred(kernel: Tensor) -> Tensor:
    return kernel - kernel.mean(dim=0) - kernel.mean(dim=1, keepdim=True) + kernel.mean()
