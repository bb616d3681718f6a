"""Mutual information of two codes, by neighbours and by a fresh variational bound."""

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from scipy.special import digamma
from torch import Tensor
from torch.optim import Adam

from models.conditional_gaussian import ConditionalGaussian
from models.losses.club import club_bound, club_learning_loss
from pipeline.randomness import mixed_seed, seeded
from pipeline.synthetic.ridge_probe import column_scale

Floats = npt.NDArray[np.float64]

_HIDDEN, _EPOCHS, _BATCH, _LEARNING_RATE = 64, 30, 128, 3e-3


def neighbour_information(*, x: Floats, y: Floats, neighbours: int = 5) -> float:
    """Estimate of mutual information from distances to neighbours, in nats.

    Parameters
    ----------
    x, y : ndarray, shape (n, d_x) and (n, d_y)
        Few columns: the estimate needs ever more clips with each. Columns are standardised.
    neighbours : int
        k, 1 <= k < n.

    Returns
    -------
    float
        About 0 for independent codes, and then below 0 as often as above.

    Notes
    -----
    Kraskov, Stögbauer and Grassberger, Physical Review E 69 (2004), eq. 8.
    """
    a, b = (_standardise(codes) for codes in (x, y))
    joint = np.concatenate([a, b], axis=1)
    distances, _ = cKDTree(joint).query(joint, neighbours + 1, p=np.inf)
    # strictly nearer than the k-th neighbour
    radius = np.nextafter(distances[:, -1], 0)
    inside = [
        cKDTree(codes).query_ball_point(codes, radius, p=np.inf, return_length=True)
        for codes in (a, b)
    ]
    # the clip itself is counted, so that these are n_x + 1 and n_y + 1
    local = sum(digamma(np.maximum(count, 1)).mean() for count in inside)
    return float(digamma(neighbours) + digamma(len(a)) - local)


def principal_components(*, codes: Floats, count: int = 3) -> Floats:
    """Project on the directions of most variance.

    Parameters
    ----------
    codes : ndarray, shape (n, d)
        Any values.
    count : int
        Directions, >= 1; fewer for a narrower code.

    Returns
    -------
    ndarray, shape (n, min(count, d))
        Centred.
    """
    centred = codes - codes.mean(axis=0)
    _, _, vt = np.linalg.svd(centred, full_matrices=False)
    projected: Floats = centred @ vt[:count].T
    return projected


def club_information(*, x: Floats, y: Floats, new_x: Floats, new_y: Floats, seed: int) -> float:
    """Upper bound of mutual information by a conditional fitted for this alone, in nats.

    Less the bound for shuffled pairs, which takes part of what a poor fit adds to both away.

    Parameters
    ----------
    x, y : ndarray, shape (n, d_x) and (n, d_y)
        Codes that q(y|x) is fitted on; columns are standardised.
    new_x, new_y : ndarray, shape (m, d_x) and (m, d_y)
        Codes of other clips that the bound is computed on.
    seed : int
        Of weights, order and shuffling.

    Returns
    -------
    float
        About 0 for independent codes.

    Notes
    -----
    Cheng et al., CLUB, ICML 2020. The conditional's variances are at least 1/e of y's, which
    limits the bound where the dependence is strong.
    """
    (x_mean, x_scale), (y_mean, y_scale) = column_scale(x), column_scale(y)
    a, new_a = (torch.from_numpy((v - x_mean) / x_scale).float() for v in (x, new_x))
    b, new_b = (torch.from_numpy((v - y_mean) / y_scale).float() for v in (y, new_y))
    with seeded(mixed_seed(seed, "club")):
        conditional = _fit_conditional(a, b)
        with torch.no_grad():
            mean, log_variance = conditional(new_a)
            shuffled = new_b[torch.randperm(len(new_b))]
            bounds = [
                club_bound(mean=mean, log_variance=log_variance, y=paired, others=new_b)
                for paired in (new_b, shuffled)
            ]
    return float(bounds[0] - bounds[1])


def _fit_conditional(x: Tensor, y: Tensor) -> ConditionalGaussian:
    conditional = ConditionalGaussian(x_width=x.shape[1], y_width=y.shape[1], hidden=_HIDDEN)
    optimizer = Adam(conditional.parameters(), lr=_LEARNING_RATE)
    for _ in range(_EPOCHS):
        for rows in torch.split(torch.randperm(len(x)), _BATCH):
            mean, log_variance = conditional(x[rows])
            loss = club_learning_loss(mean=mean, log_variance=log_variance, y=y[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return conditional


def _standardise(codes: Floats) -> Floats:
    mean, scale = column_scale(codes)
    standard: Floats = (codes - mean) / scale
    return standard
