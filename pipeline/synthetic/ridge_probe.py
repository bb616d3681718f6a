"""Linear probe: ridge regression whose strength is chosen by generalised cross-validation."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ALPHAS = np.logspace(-3, 6, 28)


@dataclass(frozen=True, kw_only=True, eq=False)
class RidgeProbe:
    """A fitted linear probe.

    Parameters
    ----------
    mean, scale : ndarray, shape (d,)
        The inputs are standardised with; ``scale`` is 1 where an input does not vary.
    weights : ndarray, shape (d, k)
        Of the standardised inputs.
    intercept : ndarray, shape (k,)
        Mean of the targets.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    intercept: Floats

    def predict(self, inputs: Floats) -> Floats:
        """Predict factors.

        Parameters
        ----------
        inputs : ndarray, shape (n, d)
            Codes.

        Returns
        -------
        ndarray, shape (n, k)
            Predictions.
        """
        predicted: Floats = (inputs - self.mean) / self.scale @ self.weights + self.intercept
        return predicted


def fit_ridge_probe(*, inputs: Floats, targets: Floats) -> RidgeProbe:
    """Fit a linear probe.

    Parameters
    ----------
    inputs : ndarray, shape (n, d)
        Codes, finite; n >= 3.
    targets : ndarray, shape (n, k)
        Factors. Each column has a strength of its own, of 28 from 1e-3 to 1e6.

    Returns
    -------
    RidgeProbe
        The one of the smallest ``n RSS / (n - 1 - trace H)^2``.

    Notes
    -----
    Golub, Heath and Wahba, Generalized cross-validation, Technometrics 21 (1979), eq. 1.4, with
    one more degree of freedom for the intercept.
    """
    mean, scale = column_scale(inputs)
    intercept = targets.mean(axis=0)
    u, s, vt = np.linalg.svd((inputs - mean) / scale, full_matrices=False)
    centred = targets - intercept
    projected = u.T @ centred
    beyond = np.maximum((centred**2).sum(axis=0) - (projected**2).sum(axis=0), 0.0)
    shrinkage = s**2 / (s**2 + _ALPHAS[:, None])
    residual = beyond + (1.0 - shrinkage) ** 2 @ projected**2
    freedom = np.maximum(len(inputs) - 1.0 - shrinkage.sum(axis=1), 1e-9)
    best = np.argmin(residual / freedom[:, None] ** 2, axis=0)
    gain = (s[:, None] / (s[:, None] ** 2 + _ALPHAS[best])) * projected
    return RidgeProbe(mean=mean, scale=scale, weights=vt.T @ gain, intercept=intercept)


def column_scale(values: Floats) -> tuple[Floats, Floats]:
    """Measure what columns are standardised with.

    Parameters
    ----------
    values : ndarray, shape (n, d)
        Any values.

    Returns
    -------
    mean, scale : ndarray, shape (d,)
        Mean and standard deviation; a deviation of next to nothing, relative to the values, is 1.
    """
    mean, scale = values.mean(axis=0), values.std(axis=0)
    varies = scale > 1e-6 * np.maximum(np.abs(mean), 1e-6)
    return mean, np.where(varies, scale, 1.0)


def explained_variance(*, prediction: Floats, target: Floats) -> Floats:
    """Coefficient of determination R^2 of each column.

    Parameters
    ----------
    prediction, target : ndarray, shape (n, k)
        Predictions and truth; the truth varies.

    Returns
    -------
    ndarray, shape (k,)
        At most 1; below 0 where the mean of the truth is the better prediction.
    """
    error = ((target - prediction) ** 2).sum(axis=0)
    spread = ((target - target.mean(axis=0)) ** 2).sum(axis=0)
    score: Floats = 1.0 - error / spread
    return score
