"""Codes brought to mean 0 and variance 1 over their batch."""

from torch import Tensor


def standardise(*, values: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Subtract each column's mean and divide by its spread.

    Parameters
    ----------
    values : Tensor, shape (B, d)
        Codes of a batch.
    epsilon : float
        Added to each variance (of the biased kind), > 0.

    Returns
    -------
    Tensor, shape (B, d)
        Of variance 1 but for epsilon; 0 in columns that are constant.
    """
    centred = values - values.mean(dim=0)
    return centred / (centred.square().mean(dim=0) + epsilon).sqrt()
