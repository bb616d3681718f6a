"""Sparse linear regression of several targets, for importances."""

import numpy as np
import numpy.typing as npt

from pipeline.synthetic.ridge_probe import column_scale

Floats = npt.NDArray[np.float64]

_PATH = np.logspace(0, -3, 13)
_SWEEPS, _TOLERANCE = 100, 1e-4


def lasso_weights(
    *, inputs: Floats, targets: Floats, valid_inputs: Floats, valid_targets: Floats
) -> Floats:
    """Fit a lasso to each target; its strength is chosen on clips it was not fitted to.

    Minimises ``||y - X w||^2 / (2 n) + a ||w||_1`` by coordinate descent along a path of 13
    strengths from the smallest that leaves no weight down to a thousandth of it.

    Parameters
    ----------
    inputs, targets : ndarray, shape (n, d) and (n, k)
        What is fitted; columns of both are standardised.
    valid_inputs, valid_targets : ndarray, shape (m, d) and (m, k)
        What chooses the strength of each target.

    Returns
    -------
    ndarray, shape (d, k)
        Weights of standardised inputs for standardised targets.

    Notes
    -----
    Friedman, Hastie and Tibshirani, Journal of Statistical Software 33 (2010), section 2.2.
    """
    (mean, scale), (target_mean, target_scale) = column_scale(inputs), column_scale(targets)
    x, new_x = ((values - mean) / scale for values in (inputs, valid_inputs))
    y, new_y = ((values - target_mean) / target_scale for values in (targets, valid_targets))
    gram, moment = x.T @ x / len(x), x.T @ y / len(x)
    largest = np.abs(moment).max(axis=0)
    weights = np.zeros_like(moment)
    best, least = weights.copy(), (new_y**2).mean(axis=0)
    for share in _PATH:
        weights = coordinate_descent(
            gram=gram, moment=moment, strength=share * largest, start=weights
        )
        error = ((new_y - new_x @ weights) ** 2).mean(axis=0)
        better = error < least
        best[:, better], least = weights[:, better], np.minimum(error, least)
    return best


def coordinate_descent(*, gram: Floats, moment: Floats, strength: Floats, start: Floats) -> Floats:
    """Solve lassos of one design from its second moments.

    Parameters
    ----------
    gram : ndarray, shape (d, d)
        ``X^T X / n``.
    moment : ndarray, shape (d, k)
        ``X^T Y / n``.
    strength : ndarray, shape (k,)
        Penalty a of each target, >= 0.
    start : ndarray, shape (d, k)
        Where to start.

    Returns
    -------
    ndarray, shape (d, k)
        Weights after at most 100 sweeps, fewer where none moves by more than 1e-4.
    """
    weights = start.copy()
    fitted = gram @ weights
    diagonal = np.diag(gram)
    used = np.flatnonzero(diagonal > 1e-12)
    for _ in range(_SWEEPS):
        moved = 0.0
        for j in used:
            partial = moment[j] - fitted[j] + diagonal[j] * weights[j]
            shrunk = np.sign(partial) * np.maximum(np.abs(partial) - strength, 0.0) / diagonal[j]
            change = shrunk - weights[j]
            largest = np.abs(change).max()
            if largest > 0:
                fitted += np.outer(gram[:, j], change)
                weights[j] = shrunk
                moved = max(moved, largest)
        if moved < _TOLERANCE:
            break
    return weights
