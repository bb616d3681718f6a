"""Contrastive log-ratio upper bound of mutual information, with a Gaussian conditional."""

from torch import Tensor


def club_learning_loss(*, mean: Tensor, log_variance: Tensor, y: Tensor) -> Tensor:
    """Negative log-likelihood that the conditional q(y|x) is fitted by.

    ``mean_i sum_k [(mu_ik - y_ik)^2 / exp(v_ik) + v_ik]``: twice the negative log-likelihood of
    N(mu, diag exp(v)), less its constant.

    Parameters
    ----------
    mean, log_variance : Tensor, shape (B, d)
        Mean mu(x) and logarithm v(x) of the variances, from x.
    y : Tensor, shape (B, d)
        What belongs to the same x.

    Returns
    -------
    Tensor
        Scalar.

    Notes
    -----
    Cheng et al., CLUB, ICML 2020, section 3, the likelihood of the variational conditional.
    """
    error = (mean - y).square() / log_variance.exp()
    return (error + log_variance).sum(dim=1).mean()


def club_bound(
    *, mean: Tensor, log_variance: Tensor, y: Tensor, others: Tensor | None = None
) -> Tensor:
    """Estimate of an upper bound of the mutual information of x and y, in nats.

    ``mean_i sum_k [mean_j (y_jk - mu_ik)^2 - (y_ik - mu_ik)^2] / (2 exp(v_ik))``: how much likelier
    q finds y_i than all of the batch, in O(B d) steps.

    Parameters
    ----------
    mean, log_variance : Tensor, shape (B, d)
        Mean mu(x) and logarithm v(x) of the variances, from x.
    y : Tensor, shape (B, d)
        What belongs to the same x.
    others : Tensor, shape (n, d), optional
        What y is compared with, ``y`` itself without it.

    Returns
    -------
    Tensor
        Scalar. It bounds the mutual information from above if q is close to the true conditional,
        and can be negative if it is not. It is 0 for a single row compared with itself, and for a
        q that ignores x and is compared with ``y`` itself.

    Notes
    -----
    Cheng et al., CLUB, ICML 2020, section 3, the variational form. With the true conditional of
    standard normal pairs of correlation rho it is ``rho^2 / (1 - rho^2)`` a column, whereas the
    mutual information is ``-log(1 - rho^2) / 2``: the bound is tight for weak dependence only.
    """
    others = y if others is None else others
    spread = others.var(dim=0, correction=0) + (others.mean(dim=0) - mean).square()
    difference = spread - (y - mean).square()
    return (difference / (2.0 * log_variance.exp())).sum(dim=1).mean()
