"""How much of the space of vowels a speaker makes use of.

References
----------
S. Scherer, L.-P. Morency, J. Gratch and J. Pestian, "Reduced vowel space is a robust indicator of
psychological distress: a cross-corpus analysis", ICASSP 2015.
J. Hillenbrand, L. A. Getty, M. J. Clark and K. Wheeler, "Acoustic characteristics of American
English vowels", J. Acoust. Soc. Am. 97(5), 1995.
"""

import numpy as np
import numpy.typing as npt
import scipy.cluster.vq

from extractors.framing import Float64Array

LEAST_FRAMES = 1000
# Twelve clusters, as American English has twelve vowels: a grid of quantiles to begin with.
F1_QUANTILES = (1 / 8, 3 / 8, 5 / 8, 7 / 8)
F2_QUANTILES = (1 / 6, 3 / 6, 5 / 6)
# Means of F1 and F2 of /i/, /a/ and /u/ in Hz, women (Hillenbrand et al. 1995, table V).
REFERENCE_CORNERS = np.array([[437.0, 2761.0], [936.0, 1551.0], [459.0, 1105.0]])


def vowel_space_ratio(*, formants: Float64Array, voiced: npt.NDArray[np.bool_]) -> float:
    """Area between the corner vowels of a speaker, in that of the average woman.

    Pairs of F1 and F2 of all voiced frames are grouped by k-means into twelve clusters; the centre
    nearest to the average /i/ stands for the speaker's /i/, and so for /a/ and /u/
    (Scherer et al. 2015). Our reading of what the paper leaves open: distances and areas are those
    of the plane in Hz, and k-means starts at the quantiles of F1 crossed with those of F2, so the
    result does not depend on chance or on the order of frames; clusters that become empty are left
    out.

    Parameters
    ----------
    formants : ndarray of float64, shape (J, D), D >= 2
        F1 and F2 in Hz in the first two columns; 0 where there is none.
    voiced : ndarray of bool, shape (J,)
        Frames with a pitch.

    Returns
    -------
    float
        >= 0; 1 for a triangle as large as the reference. 0 if one cluster is nearest to two of the
        corners, and where there are fewer than 1000 voiced frames with F1 and F2, which is less
        than 10 s of voice.

    Raises
    ------
    ValueError
        If the two arrays differ in length.
    """
    if len(formants) != len(voiced):
        raise ValueError(
            f"formants have {len(formants)} frames and voiced has {len(voiced)}; "
            "bring both onto the same rows"
        )
    points = np.asarray(formants[:, :2], np.float64)
    points = points[np.asarray(voiced, bool) & (points > 0).all(axis=1)]
    if len(points) < LEAST_FRAMES:
        return 0.0
    first, second = (
        np.quantile(points[:, 0], F1_QUANTILES),
        np.quantile(points[:, 1], F2_QUANTILES),
    )
    start = np.stack(np.meshgrid(first, second), axis=-1).reshape(-1, 2)
    centres, _ = scipy.cluster.vq.kmeans(points, start)
    gaps = np.linalg.norm(REFERENCE_CORNERS[:, None] - centres, axis=2)
    return _triangle_area(centres[gaps.argmin(axis=1)]) / _triangle_area(REFERENCE_CORNERS)


def _triangle_area(corners: Float64Array) -> float:
    """Half the parallelogram of two sides."""
    (x1, y1), (x2, y2) = corners[1:] - corners[0]
    return float(abs(x1 * y2 - x2 * y1) / 2)
