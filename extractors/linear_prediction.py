"""Linear prediction, its residual, and the polarity of a recording.

References
----------
J. Makhoul, "Linear prediction: a tutorial review", Proc. IEEE 63(4), 1975.
T. Drugman, "Residual excitation skewness for automatic speech polarity detection", IEEE Signal
Processing Letters 20(4), 2013.
"""

import numpy as np
import scipy.signal

from extractors.framing import Float64Array, Samples, blocks, framed
from extractors.sequence import FloatArray

FRAME_LENGTH = 401  # 25 ms and one sample
HOP = 80
BLOCK = 256  # frames at a time, which keeps the work in the cache
POLARITY_ORDER = 18


def autocorrelation(*, frames: Float64Array, order: int) -> Float64Array:
    """Biased autocorrelation of every frame.

    Parameters
    ----------
    frames : ndarray of float64, shape (M, L)
        Windowed frames.
    order : int
        Highest lag in samples, 0 <= order < L.

    Returns
    -------
    ndarray of float64, shape (M, order + 1)
        Sums of products at lags 0..order, divided by L.
    """
    length = frames.shape[1]
    lags = [
        np.einsum("ij,ij->i", frames[:, : length - lag], frames[:, lag:])
        for lag in range(order + 1)
    ]
    return np.asarray(np.stack(lags, axis=1) / length)


def levinson_durbin(*, autocorrelations: Float64Array) -> Float64Array:
    """Solve the normal equations of linear prediction for every frame (Makhoul 1975, eq. 38).

    Parameters
    ----------
    autocorrelations : ndarray of float64, shape (M, P + 1)
        Lags 0..P.

    Returns
    -------
    ndarray of float64, shape (M, P + 1)
        Coefficients of the inverse filter, the first one 1. Where lag 0 is not positive (digital
        silence) the filter is 1, 0, ..., 0.
    """
    rows, columns = autocorrelations.shape
    filters = np.zeros((rows, columns))
    filters[:, 0] = 1.0
    error = autocorrelations[:, 0].copy()
    for i in range(1, columns):
        numerator = np.einsum("ij,ij->i", filters[:, :i], autocorrelations[:, i:0:-1])
        reflection = np.zeros(rows)
        np.divide(-numerator, error, out=reflection, where=error > 0)
        filters[:, 1 : i + 1] += reflection[:, None] * filters[:, i - 1 :: -1][:, :i]
        error *= 1 - reflection**2
    return filters


def lp_residual(*, signal: Samples, order: int, analysed: Samples | None = None) -> FloatArray:
    """Residual of linear prediction, overlap-added from frames of 25 ms every 5 ms.

    Every frame is weighted by a Hann window, filtered by its inverse filter from a zero state and
    scaled to the energy it had; the whole is divided by its greatest magnitude.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz.
    order : int
        Prediction order, > 0.
    analysed : ndarray of float, shape (N,), optional
        Sound on which the filters are estimated, if not `signal` itself.

    Returns
    -------
    ndarray of float32, shape (N,)
        In [-1, 1]. NaN wherever a frame of 25 ms is digitally silent, as no predictor exists
        there; zero at the end where no frame fits.
    """
    residual = np.zeros(len(signal) + FRAME_LENGTH + HOP, np.float32)
    # the last frame has to end before the last sample
    used = framed(signal=signal[:-1], length=FRAME_LENGTH, hop=HOP)
    basis = used if analysed is None else framed(signal=analysed[:-1], length=FRAME_LENGTH, hop=HOP)
    window = scipy.signal.windows.hann(FRAME_LENGTH + 2)[1:-1]
    for block in blocks(count=len(used), size=BLOCK):
        frames = used[block] * window
        lags = autocorrelation(
            frames=frames if analysed is None else basis[block] * window, order=order
        )
        errors = _inverse_filtered(frames=frames, filters=levinson_durbin(autocorrelations=lags))
        errors[lags[:, 0] <= 0] = np.nan
        _overlap_add(out=residual[block.start * HOP :], frames=errors)
    residual = residual[: len(signal)]
    peak = max(
        np.fmax.reduce(residual, initial=np.float32(0)),
        -np.fmin.reduce(residual, initial=np.float32(0)),
    )
    if peak > 0:
        residual /= peak
    return residual


def signal_polarity(*, signal: Samples) -> int:
    """Tell whether a recording of speech is upside down, by the skewness of two LP residuals.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz.

    Returns
    -------
    int
        1 or -1, by which the sound is to be multiplied; 1 where nothing can be told (silence).
    """
    b, a = scipy.signal.ellip(9, 3, 60, 480 / 8000, btype="highpass")
    high_passed = filtfilt_blockwise(b=b, a=a, signal=signal)
    skews = [_residual_skewness(signal=signal, analysed=source) for source in (high_passed, None)]
    return -1 if skews[1] < skews[0] else 1


def filtfilt_blockwise(
    *, b: Float64Array, a: Float64Array, signal: Samples, block: int = 1 << 20
) -> FloatArray:
    """Filter forwards and backwards like :func:`scipy.signal.filtfilt`, in bounded memory.

    Parameters
    ----------
    b, a : ndarray of float64
        Numerator and denominator of the filter.
    signal : ndarray of float, shape (N,)
        Samples. The ends are extended oddly by 3 (max(len a, len b) - 1) samples, or by what
        there is of a shorter sound.
    block : int, optional
        Samples filtered at a time, > 0.

    Returns
    -------
    ndarray of float32, shape (N,)
        Filtered samples.
    """
    if len(signal) == 0:
        return np.zeros(0, np.float32)
    pad = min(3 * (max(len(a), len(b)) - 1), len(signal) - 1)
    head = 2.0 * signal[0] - signal[pad:0:-1]
    tail = 2.0 * signal[-1] - signal[-2 : -pad - 2 : -1]
    extended = np.concatenate([head, signal, tail]).astype(np.float32)
    for view in (extended, extended[::-1]):
        state = scipy.signal.lfilter_zi(b, a) * view[0]
        for part in blocks(count=len(view), size=block):
            view[part], state = scipy.signal.lfilter(b, a, view[part].astype(np.float64), zi=state)
    return extended[pad : pad + len(signal)]


def _inverse_filtered(*, frames: Float64Array, filters: Float64Array) -> Float64Array:
    errors = frames.copy()
    for lag in range(1, filters.shape[1]):
        errors[:, lag:] += filters[:, lag, None] * frames[:, :-lag]
    energy = np.einsum("ij,ij->i", errors, errors)
    wanted = np.einsum("ij,ij->i", frames, frames)
    scale = np.zeros(len(frames))
    np.divide(wanted, energy, out=scale, where=energy > 0)
    errors *= np.sqrt(scale)[:, None]
    return errors


def _overlap_add(*, out: FloatArray, frames: Float64Array) -> None:
    """Add frames that are `HOP` apart to `out`, in place."""
    count = len(frames)
    for first in range(0, FRAME_LENGTH, HOP):
        piece = frames[:, first : first + HOP]
        target = out[first : first + count * HOP].reshape(count, HOP)
        target[:, : piece.shape[1]] += piece


def _residual_skewness(*, signal: Samples, analysed: Samples | None) -> float:
    """Compute the residual's population skewness in float64; 0 for a constant."""
    residual = lp_residual(signal=signal, order=POLARITY_ORDER, analysed=analysed)
    np.nan_to_num(residual, copy=False)
    mean = residual.mean(dtype=np.float64) if len(residual) else 0.0
    second = third = 0.0
    for block in blocks(count=len(residual), size=1 << 20):
        deviation = residual[block] - mean
        square = deviation * deviation
        second += float(np.sum(square))
        third += float(np.sum(square * deviation))
    return 0.0 if second == 0 else float(np.sqrt(len(residual)) * third / second**1.5)
