"""Tests of independence of two codes that no model is trained with."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from pipeline.synthetic.ridge_probe import column_scale

Floats = npt.NDArray[np.float64]


class Dependence(NamedTuple):
    """A measure of dependence and how surprising it would be without any.

    Attributes
    ----------
    value : float
        0 to 1.
    p_value : float
        Share of permutations, the given order among them, that reach the value; above 0, at most 1.
    """

    value: float
    p_value: float


def distance_correlation(
    *, x: Floats, y: Floats, permutations: int = 200, seed: int = 0
) -> Dependence:
    """Distance correlation, which is 0 only for independent codes.

    Parameters
    ----------
    x, y : ndarray, shape (n, d_x) and (n, d_y)
        Codes of the same clips; columns are standardised.
    permutations : int
        Of the clips of one code, >= 1.
    seed : int
        Of the permutations.

    Returns
    -------
    Dependence
        The biased estimate, which is above 0 for independent codes too: judge by the p-value.

    Notes
    -----
    Székely, Rizzo and Bakirov, Annals of Statistics 35 (2007), definition 5, eq. 2.8-2.10.
    """
    a, b = (_centre(_distances(codes)) for codes in (x, y))
    dependence = _permutation_test(a, b, permutations, seed)
    return dependence._replace(value=float(np.sqrt(max(dependence.value, 0.0))))


def kernel_dependence(
    *, x: Floats, y: Floats, permutations: int = 200, seed: int = 0
) -> Dependence:
    """Hilbert-Schmidt independence criterion with Gaussian kernels, normalised.

    ``tr(K H L H) / sqrt(tr(K H K H) tr(L H L H))``; each kernel's width is the median distance.

    Parameters
    ----------
    x, y, permutations, seed
        As for :func:`distance_correlation`.

    Returns
    -------
    Dependence
        Biased likewise.

    Notes
    -----
    Gretton et al., ALT 2005, eq. 9; the normalisation is that of Kornblith et al., ICML 2019.
    """
    a, b = (_centre(_gaussian_kernel(_distances(codes))) for codes in (x, y))
    return _permutation_test(a, b, permutations, seed)


def _distances(codes: Floats) -> Floats:
    mean, scale = column_scale(codes)
    standard = (codes - mean) / scale
    distances: Floats = cdist(standard, standard)
    return distances


def _gaussian_kernel(distances: Floats) -> Floats:
    width = np.median(distances[np.triu_indices(len(distances), 1)])
    kernel: Floats = np.exp(-0.5 * (distances / (width if width > 0 else 1.0)) ** 2)
    return kernel


def _centre(matrix: Floats) -> Floats:
    rows = matrix.mean(axis=0)
    centred: Floats = matrix - rows - rows[:, None] + rows.mean()
    return centred


def _permutation_test(a: Floats, b: Floats, permutations: int, seed: int) -> Dependence:
    """Normalised inner product of centred matrices, and of one with the other's clips permuted."""
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    if norm <= 0:
        return Dependence(0.0, 1.0)
    observed = np.vdot(a, b)
    generator = np.random.default_rng(seed)
    reached = 1
    for _ in range(permutations):
        order = generator.permutation(len(b))
        reached += np.vdot(a, b[np.ix_(order, order)]) >= observed
    return Dependence(float(observed / norm), reached / (permutations + 1))
