"""Spectra of windows that span three periods of the voice, and the harmonics in them."""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
import scipy.fft

from extractors.framing import SAMPLE_RATE, Float64Array, IntArray, Samples, round_half_away

FFT_LENGTH = 4096
# Where there is no pitch (silence) the window is that of a voice of 100 Hz.
F0_WITHOUT_PITCH = 100.0
FLOOR = 1e-10  # of an amplitude, before its logarithm

ComplexArray = npt.NDArray[np.complex128]


@dataclass(frozen=True, kw_only=True, eq=False)
class Harmonics:
    """Harmonics of every frame, number 0 standing for the mean of the sound.

    Parameters
    ----------
    f1 : ndarray of float64, shape (M,)
        Median distance between neighbouring harmonics in Hz.
    log_amplitudes : ndarray of float64, shape (M, Q + 1)
        Natural logarithms of the amplitudes of harmonics 0..Q; 0 beyond a frame's last one.
    phases : ndarray of float64, shape (M, Q + 1)
        Phases at the window's centre in rad, in [-pi, pi]; 0 beyond a frame's last one.
    counts : ndarray of int64, shape (M,)
        Number of the last harmonic of each frame, > 0.
    """

    f1: Float64Array
    log_amplitudes: Float64Array
    phases: Float64Array
    counts: IntArray


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


def log_amplitudes(*, spectra: ComplexArray) -> Float64Array:
    """Natural logarithms of a spectrum's amplitudes, floored at 1e-10.

    Parameters
    ----------
    spectra : ndarray of complex128, shape (M, B)
        Spectra.

    Returns
    -------
    ndarray of float64, shape (M, B)
        Finite.
    """
    amplitudes = np.abs(spectra)
    return np.asarray(np.log(np.maximum(amplitudes, FLOOR, out=amplitudes), out=amplitudes))


def harmonic_counts(*, f0: Float64Array) -> IntArray:
    """Count the harmonics up to half the sampling rate, less half the pitch.

    Parameters
    ----------
    f0 : ndarray of float64, shape (M,)
        Pitch in Hz, > 0.

    Returns
    -------
    ndarray of int64, shape (M,)
        Number of the last harmonic.
    """
    return round_half_away((SAMPLE_RATE / 2 - f0 / 2) / f0)


def harmonics_of_spectra(
    *, spectra: ComplexArray, log_spectra: Float64Array, f0: Float64Array
) -> Harmonics:
    """Amplitudes and phases at the multiples of the pitch.

    Every multiple takes over the nearest peak of the log amplitude, refined by a parabola, if
    it is less than half the pitch away.

    Parameters
    ----------
    spectra : ndarray of complex128, shape (M, 2049)
        Result of :func:`synchronous_spectra`.
    log_spectra : ndarray of float64, shape (M, 2049)
        Result of :func:`log_amplitudes`.
    f0 : ndarray of float64, shape (M,)
        Pitch in Hz, 0 < f0 < 5333, so that there is a harmonic.

    Returns
    -------
    Harmonics
        Those up to half the sampling rate.
    """
    counts = harmonic_counts(f0=f0)
    shape = (len(f0), int(counts.max(initial=0)) + 1)
    f1, log_levels, phases = np.zeros(len(f0)), np.zeros(shape), np.zeros(shape)
    steps = FFT_LENGTH * f0 / SAMPLE_RATE
    _find_harmonics(spectra, log_spectra, steps, counts, f1, log_levels, phases)
    return Harmonics(
        f1=f1 * (SAMPLE_RATE / FFT_LENGTH), log_amplitudes=log_levels, phases=phases, counts=counts
    )


@numba.njit(cache=True, nogil=True)
def _find_harmonics(
    spectra: ComplexArray,
    log_spectra: Float64Array,
    steps: Float64Array,
    counts: IntArray,
    f1: Float64Array,
    log_levels: Float64Array,
    phases: Float64Array,
) -> None:
    """Fill the last three; all positions are in bins."""
    n_bins = spectra.shape[1]
    peaks, tops = np.empty(n_bins // 2 + 1), np.empty(n_bins // 2 + 1)
    places = np.empty(log_levels.shape[1])
    for k in range(len(steps)):
        levels = log_spectra[k]
        n_peaks = _find_peaks(levels, peaks, tops)
        nearest = 0
        for q in range(counts[k] + 1):
            place = q * steps[k]
            level = levels[min(int(np.floor(place + 0.5)), n_bins - 1)]
            while nearest + 1 < n_peaks and (
                abs(peaks[nearest + 1] - place) < abs(peaks[nearest] - place)
            ):
                nearest += 1
            if q > 0 and n_peaks > 0 and abs(peaks[nearest] - place) < steps[k] / 2:
                place, level = peaks[nearest], tops[nearest]
            places[q] = place
            log_levels[k, q] = level
            phases[k, q] = _phase_at(spectra[k], place)
        gaps = np.diff(places[: counts[k] + 1])
        f1[k] = np.median(gaps)


@numba.njit(cache=True, nogil=True)
def _find_peaks(levels: Float64Array, peaks: Float64Array, tops: Float64Array) -> int:
    """Places and levels of the tops of the parabolas through all local maxima; their number."""
    count = 0
    for b in range(1, len(levels) - 1):
        if levels[b - 1] < levels[b] and levels[b] >= levels[b + 1]:
            slope = (levels[b + 1] - levels[b - 1]) / 2
            bend = levels[b + 1] - 2 * levels[b] + levels[b - 1]
            offset = -slope / bend
            peaks[count] = b + offset
            tops[count] = levels[b] + slope * offset / 2
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _phase_at(spectrum: ComplexArray, place: float) -> float:
    """Interpolate the phase along the shorter way around, which is what unwrapping it does."""
    left = min(int(place), len(spectrum) - 2)
    first, second = np.angle(spectrum[left]), np.angle(spectrum[left + 1])
    turn = second - first
    turn -= 2 * np.pi * np.round(turn / (2 * np.pi))
    phase = first + (place - left) * turn
    return float(phase - 2 * np.pi * np.round(phase / (2 * np.pi)))
