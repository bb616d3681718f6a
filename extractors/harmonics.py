"""Spectra of windows that span three periods of the voice."""

import numpy as np
import numpy.typing as npt
import scipy.fft

from extractors.framing import SAMPLE_RATE, Float64Array, IntArray, Samples, round_half_away

FFT_LENGTH = 4096
# Where there is no pitch (silence) the window is that of a voice of 100 Hz.
F0_WITHOUT_PITCH = 100.0

ComplexArray = npt.NDArray[np.complex128]


def analysis_f0(*, f0: Float64Array) -> Float64Array:
    """Pitch that sets the window of every frame.

    Parameters
    ----------
    f0 : ndarray of float64, shape (M,)
        Best candidates in Hz, voiced or not; 1 where there is none.

    Returns
    -------
    ndarray of float64, shape (M,)
        The same, with 100 Hz where there is none.
    """
    return np.where(f0 > 1, f0, F0_WITHOUT_PITCH)


def half_window(*, f0: npt.ArrayLike) -> IntArray:
    """Count the samples on either side of the centre of a window of three periods.

    Parameters
    ----------
    f0 : array_like of float
        Pitch in Hz, > 0.

    Returns
    -------
    ndarray of int64
        Same shape; a window has ``2 half + 1`` samples of 16 kHz.
    """
    return round_half_away(1.5 * SAMPLE_RATE / np.asarray(f0, np.float64))


def synchronous_spectra(*, signal: Samples, centres: IntArray, f0: Float64Array) -> ComplexArray:
    """Spectra under a Blackman window of three periods, with the phase of its centre.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz.
    centres : ndarray of int64, shape (M,)
        Samples on which the windows are centred; every window must lie inside the sound.
    f0 : ndarray of float64, shape (M,)
        Pitch in Hz, > 0.

    Returns
    -------
    ndarray of complex128, shape (M, 2049)
        Bins 0..2048 of a transform of 4096 points; the window sums to 1.
    """
    windowed = np.zeros((len(centres), FFT_LENGTH))
    for pitch in np.unique(f0):
        rows = np.flatnonzero(f0 == pitch)
        half = int(half_window(f0=pitch))
        window = np.blackman(2 * half + 1)
        window /= window.sum()
        samples = signal[centres[rows, None] + np.arange(-half, half + 1)] * window
        # the centre comes first and the left half wraps around: zero phase
        windowed[rows, : half + 1] = samples[:, half:]
        windowed[rows, -half:] = samples[:, :half]
    return np.asarray(scipy.fft.rfft(windowed, axis=1))
