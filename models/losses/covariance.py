"""Distance between the covariance matrices of two modalities."""

from torch import Tensor


def _covariance(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=0)
    return centred.T @ centred / (len(values) - 1)


def _standardise(values: Tensor, epsilon: float) -> Tensor:
    return values / (values.var(dim=0) + epsilon).sqrt()


def covariance_loss(
    *, a: Tensor, b: Tensor, standardise: bool = False, epsilon: float = 1e-5
) -> Tensor:
    """Squared Frobenius distance of two covariance matrices, by 4 c^2 (CORAL).

    Parameters
    ----------
    a, b : Tensor, shape (B, c)
        Two modalities of the same B items, projected to the same width.
    standardise : bool
        Whether to compare correlations instead, which scale does not change.
    epsilon : float
        Added to each variance in standardising, > 0.

    Returns
    -------
    Tensor
        Scalar >= 0; 0 with a gradient of 0 for a batch of fewer than two rows.

    Notes
    -----
    Lai et al., arXiv 2305.08473 (whose normaliser is not known), with the normaliser of Sun and
    Saenko, Deep CORAL, ECCV 2016. Equal covariances do not say that two modalities agree
    on an item: two independent ones of equal covariance give 0, and so do constants.
    """
    batch, width = a.shape
    if batch < 2:
        return (a.sum() + b.sum()) * 0.0
    if standardise:
        a, b = _standardise(a, epsilon), _standardise(b, epsilon)
    difference = _covariance(a) - _covariance(b)
    return difference.square().sum() / (4.0 * width**2)
