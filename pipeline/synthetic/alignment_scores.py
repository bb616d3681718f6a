"""How much two modalities' codes of the same clips agree."""

import numpy as np
import numpy.typing as npt

from pipeline.synthetic.ridge_probe import column_scale

Floats = npt.NDArray[np.float64]

_REGULARISATION = 1e-3


def retrieval_recall(*, queries: Floats, gallery: Floats) -> float:
    """Share of clips whose own code in the other modality is the most similar one, R@1.

    Parameters
    ----------
    queries, gallery : ndarray, shape (n, d)
        Codes of the same n clips. Each column is standardised, similarity is the cosine.

    Returns
    -------
    float
        0 to 1; ``1 / n`` by chance.
    """
    a, b = (_unit_rows(codes) for codes in (queries, gallery))
    return float((np.argmax(a @ b.T, axis=1) == np.arange(len(a))).mean())


def _unit_rows(codes: Floats) -> Floats:
    mean, scale = column_scale(codes)
    standard = (codes - mean) / scale
    length = np.linalg.norm(standard, axis=1, keepdims=True)
    unit: Floats = standard / np.where(length > 0, length, 1.0)
    return unit


def mean_canonical_correlation(
    *, x: Floats, y: Floats, new_x: Floats, new_y: Floats, components: int = 4
) -> float:
    """Mean correlation of the leading canonical pairs on clips they were not found on.

    Parameters
    ----------
    x, y : ndarray, shape (n, d_x) and (n, d_y)
        Codes that the pairs are found on.
    new_x, new_y : ndarray, shape (m, d_x) and (m, d_y)
        Codes of other clips that they are measured on.
    components : int
        Pairs, >= 1; fewer where a code is narrower.

    Returns
    -------
    float
        -1 to 1, next to 0 for independent codes.

    Notes
    -----
    Hotelling (1936), with 1e-3 of the mean variance added to both covariances' diagonals.
    """
    white_x, white_y = (_whitener(codes) for codes in (x, y))
    cross = (x - x.mean(axis=0)).T @ (y - y.mean(axis=0)) / len(x)
    u, _, vt = np.linalg.svd(white_x.T @ cross @ white_y)
    count = min(components, x.shape[1], y.shape[1])
    a = (new_x - x.mean(axis=0)) @ white_x @ u[:, :count]
    b = (new_y - y.mean(axis=0)) @ white_y @ vt[:count].T
    return float(np.mean([_correlation(p, q) for p, q in zip(a.T, b.T, strict=True)]))


def _whitener(codes: Floats) -> Floats:
    covariance = np.atleast_2d(np.cov(codes, rowvar=False, bias=True))
    ridge = _REGULARISATION * max(float(np.trace(covariance)) / len(covariance), 1e-12)
    values, vectors = np.linalg.eigh(covariance + ridge * np.eye(len(covariance)))
    whitener: Floats = vectors / np.sqrt(values)
    return whitener


def _correlation(p: Floats, q: Floats) -> float:
    spread = p.std() * q.std()
    return float(((p - p.mean()) * (q - q.mean())).mean() / spread) if spread > 0 else 0.0


def linear_cka(*, x: Floats, y: Floats) -> float:
    """Centred kernel alignment with inner products.

    Parameters
    ----------
    x, y : ndarray, shape (n, d_x) and (n, d_y)
        Codes of the same clips.

    Returns
    -------
    float
        0 to 1, whatever the scale and rotation of either; 0 if one does not vary.

    Notes
    -----
    Kornblith et al., ICML 2019, eq. 3 with linear kernels.
    """
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    norm = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(a.T @ b) ** 2 / norm) if norm > 0 else 0.0
