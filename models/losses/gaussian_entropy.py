"""Entropy of codes, as if they were normally distributed."""

import math

import torch
from torch import Tensor


def gaussian_entropy(*, codes: Tensor, ridge: float = 1e-4) -> Tensor:
    """Differential entropy, in nats, of the normal distribution that has the codes' covariance.

    ``1/2 log det(2 pi e (C + ridge I))`` with the covariance C over the rows, divided by n.

    Parameters
    ----------
    codes : Tensor, shape (n, d)
        One code a row.
    ridge : float
        What is added to the variances, > 0: codes in fewer dimensions than d have a finite entropy
        and a gradient that does not leave these dimensions.

    Returns
    -------
    Tensor
        Scalar of any sign; 0 with a gradient of 0 for fewer than two rows.

    Notes
    -----
    Han et al., MMIM, EMNLP 2021, the entropy of one class of utterances; in the authors' code
    without constants and without ``ridge``. The normal distribution has the largest entropy of all
    with that covariance, so this bounds the entropy of other distributions from above.
    """
    n, width = codes.shape
    if n < 2:
        return codes.sum() * 0.0
    centred = codes - codes.mean(dim=0)
    covariance = centred.T @ centred / n + ridge * torch.eye(width).to(codes)
    constant = width * math.log(2.0 * math.pi * math.e)
    return (torch.logdet(covariance) + constant) / 2.0
