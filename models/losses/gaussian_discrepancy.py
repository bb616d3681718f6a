"""Maximum mean discrepancy between codes and a standard normal distribution."""

import torch
from torch import Tensor


def gaussian_discrepancy(*, codes: Tensor) -> Tensor:
    """Squared discrepancy of B codes from N(0, I) under the kernel ``exp(-|x - y|^2 / d^2)``.

    What is known of the normal distribution is put in as it is instead of drawn: with
    ``s = d^2 / 2``, ``E k(g, g') = (s / (s + 2))^(d/2)`` and
    ``E k(x, g) = (s / (s + 1))^(d/2) exp(-|x|^2 / (2 (s + 1)))``.

    Parameters
    ----------
    codes : Tensor, shape (B, d)
        B >= 1 codes.

    Returns
    -------
    Tensor
        Scalar >= 0. In expectation the loss with a drawn sample, less what is due to the sample's
        size. Since each code is compared with itself too, it is above 0 for small batches even of
        normal codes. The kernel is wide: for large d the loss hardly tells more than the mean.

    Notes
    -----
    Tsai et al., MFM, ICLR 2019, eq. 4, whose Wasserstein distance is approximated in the authors'
    code by this kernel and a drawn sample.
    """
    width = codes.shape[1]
    scale = width**2 / 2.0
    distances = (codes[:, None] - codes[None]).square().sum(dim=2)
    among_codes = (-distances / (2.0 * scale)).exp().mean()
    nearness = (-codes.square().sum(dim=1) / (2.0 * (scale + 1.0))).exp().mean()
    to_normal = (scale / (scale + 1.0)) ** (width / 2) * nearness
    among_normal = (scale / (scale + 2.0)) ** (width / 2)
    return torch.clamp(among_codes - 2.0 * to_normal + among_normal, min=0.0)
