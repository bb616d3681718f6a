"""From the content of a modality to what is observed of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.synthetic.factors import NUISANCE, PRIVATE, SHARED

Floats = npt.NDArray[np.float64]

#: Observed widths, and those of real features.
WIDTHS = {"text": 32, "audio": 24, "vision": 20}
REAL_WIDTHS = {"text": 768, "audio": 74, "vision": 47}
CONTENT_WIDTH = SHARED + PRIVATE + NUISANCE
_GAIN, _SLOPE, _NOISE, _OFFSET = 2.0, 0.2, 0.3, 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixer:
    """Fixed mixing of one modality.

    Parameters
    ----------
    inner : ndarray, shape (10, D)
        Orthonormal rows times 2, from content to D hidden values.
    offset : ndarray, shape (D,)
        Added before the rectifier.
    outer : ndarray, shape (D, D)
        Orthogonal.
    rotation : ndarray, shape (D, W), optional
        Orthonormal rows, into the width of real features.
    """

    inner: Floats
    offset: Floats
    outer: Floats
    rotation: Floats | None = None

    @property
    def width(self) -> int:
        """Number of observed values a frame."""
        return len(self.outer) if self.rotation is None else self.rotation.shape[1]


def draw_mixer(*, width: int, real_width: int | None, generator: np.random.Generator) -> Mixer:
    """Draw a modality's mixing.

    Parameters
    ----------
    width : int
        D, >= 10.
    real_width : int or None
        W >= D, or None for no rotation.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Mixer
        The rotation is drawn last, so that the rest is the same with and without it.
    """
    inner = _GAIN * _orthonormal_rows(CONTENT_WIDTH, width, generator)
    offset = _OFFSET * generator.standard_normal(width)
    outer = _orthonormal_rows(width, width, generator)
    # zeros appended to a frame leave these rows of a full rotation alone
    rotation = None if real_width is None else _orthonormal_rows(width, real_width, generator)
    return Mixer(inner=inner, offset=offset, outer=outer, rotation=rotation)


def _orthonormal_rows(rows: int, columns: int, generator: np.random.Generator) -> Floats:
    basis, triangle = np.linalg.qr(generator.standard_normal((columns, rows)))
    # the signs of a QR decomposition are the library's choice; this makes it unique
    unique: Floats = (basis * np.sign(np.diag(triangle))).T
    return unique


def observe(
    *, content: Floats, mixer: Mixer, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Mix content nonlinearly and add noise: ``B leaky(A h + b) + 0.3 e``.

    Parameters
    ----------
    content : ndarray, shape (T, 10)
        Frames h.
    mixer : Mixer
        The modality's matrices.
    generator : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    ndarray of float32, shape (T, mixer.width)
        Frames. The rectifier's slope is 0.2 below 0.
    """
    hidden = content @ mixer.inner + mixer.offset
    np.multiply(hidden, _SLOPE, out=hidden, where=hidden < 0)
    observed = hidden @ mixer.outer.T
    observed += _NOISE * generator.standard_normal(observed.shape)
    if mixer.rotation is not None:
        observed = observed @ mixer.rotation
    return observed.astype(np.float32)
