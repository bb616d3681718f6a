"""Central moment discrepancy between two samples."""

import torch
from torch import Tensor


def central_moment_discrepancy(*, x: Tensor, y: Tensor, moments: int = 5) -> Tensor:
    """Distance of two distributions by their means and higher central moments.

    ``||E(X) - E(Y)|| + sum_{k=2..K} ||C_k(X) - C_k(Y)||`` with ``C_k(X) = E((X - E(X))^k)``, each
    dimension by itself and 2-norms over the dimensions.

    Parameters
    ----------
    x, y : Tensor, shape (B_x, d) and (B_y, d)
        Samples of values in an interval of length 1, such as a sigmoid's; of a longer one, the
        k-th norm would have to be divided by its length to the power of k.
    moments : int
        Highest order K, >= 1; 1 compares the means alone.

    Returns
    -------
    Tensor
        Scalar >= 0; 0, with a gradient of 0, for equal samples; the distance of the two rows if
        there is but one of each.

    Raises
    ------
    ValueError
        If ``moments`` is below 1.

    Notes
    -----
    Zellinger et al., Central moment discrepancy (CMD) for domain-invariant representation
    learning, ICLR 2017, the empirical estimate; MISA's similarity loss. It compares the two
    distributions only: which rows belong together does not matter, so that it aligns no utterance
    with itself.
    """
    if moments < 1:
        raise ValueError(f"moments must be at least 1, got {moments}")
    means = x.mean(dim=0), y.mean(dim=0)
    # the gradient of this norm at 0 is 0, that of a square root is infinite
    total: Tensor = torch.linalg.vector_norm(means[0] - means[1])
    centred = x - means[0], y - means[1]
    for order in range(2, moments + 1):
        difference = centred[0].pow(order).mean(dim=0) - centred[1].pow(order).mean(dim=0)
        total = total + torch.linalg.vector_norm(difference)
    return total
