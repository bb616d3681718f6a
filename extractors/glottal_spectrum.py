"""Measures of the glottal spectrum in every cycle: levels of harmonics, and a fitted parabola.

References
----------
H. M. Hanson, "Glottal characteristics of female speakers: acoustic correlates", JASA 101(1), 1997.
D. G. Childers and C. K. Lee, "Vocal quality factors: analysis, synthesis, and perception",
JASA 90(5), 1991.
P. Alku, H. Strik and E. Vilkman, "Parabolic spectral parameter - a new method for the
quantification of the glottal flow", Speech Communication 22(1), 1997.
"""

import functools

import numba
import numpy as np
import scipy.fft
import scipy.signal

from extractors.closure_instants import GlottalCycles
from extractors.framing import SAMPLE_RATE, Float64Array, IntArray, blocks, round_half_away
from extractors.sequence import BoolArray

# A cycle is measured if it lasts 1/500 to 1/20 s, both excluded.
SHORTEST, LONGEST = 33, 799
FULL_SCALE = 20 * np.log10(32768)  # dB
FEWEST_PEAKS = 5
N_BINS = SAMPLE_RATE // 2 + 1  # of 1 Hz
# The lowest six harmonics' bins usually tell the lowest two, and others likewise.
HARMONICS_AROUND = 4
PARABOLA_LENGTH = 2048
MISFIT = 0.01
BATCH = 64  # spectra at a time, which stay in the cache


def measurable(*, cycles: GlottalCycles) -> BoolArray:
    """Tell which cycles have a pitch between 20 and 500 Hz, both excluded.

    Parameters
    ----------
    cycles : GlottalCycles
        Cycles of the voice.

    Returns
    -------
    ndarray of bool, shape (G,)
        All others are pauses rather than cycles, and not measured.
    """
    return np.asarray((cycles.periods >= SHORTEST) & (cycles.periods <= LONGEST))


def harmonic_levels(
    *, derivative: Float64Array, cycles: GlottalCycles, highest: float = 0.0
) -> Float64Array:
    """Levels of the harmonics of the flow derivative around every instant of closure.

    The spectrum of three periods under a Hamming window has bins of 1 Hz. Of its peaks the lower
    one of any two within half the pitch is dropped until none are so close; a harmonic is the
    peak nearest to its multiple of the pitch.

    Parameters
    ----------
    derivative : ndarray of float64, shape (N,)
        Derivative of the glottal flow.
    cycles : GlottalCycles
        Cycles within `derivative`.
    highest : float, optional
        Frequency in Hz up to which harmonics are measured, two at least; below 8000.

    Returns
    -------
    ndarray of float64, shape (G, Q)
        dB, 0 for an amplitude of 1 / 32768 per sample. NaN beyond `highest`, in cycles that are
        not measurable and where fewer than five peaks are left.
    """
    f0 = SAMPLE_RATE / cycles.periods
    counts = np.maximum(np.floor(highest / f0), 2).astype(np.int64)
    rows = np.flatnonzero(measurable(cycles=cycles))
    levels = np.full((len(f0), counts[rows].max(initial=2)), np.nan)
    # cycles of like pitch together, so that the windows and spectra of a batch are as long
    rows = rows[np.argsort(cycles.periods[rows], kind="stable")]
    for batch in blocks(count=len(rows), size=BATCH):
        left, around = rows[batch], HARMONICS_AROUND
        while len(left):
            n_bins = int(((counts[left] + around) * f0[left]).max())
            power = _power(derivative, cycles.ends[left], cycles.periods[left], n_bins)
            settled = _harmonics(power, f0[left], counts[left], levels, left)
            left, around = left[~settled], 2 * around
    return levels


def harmonic_richness_factor(*, levels: Float64Array) -> Float64Array:
    """Sum of the levels of all higher harmonics by the first one's.

    Childers & Lee (1991) mean amplitudes; COVAREP takes their decibels, and so does this.

    Parameters
    ----------
    levels : ndarray of float64, shape (G, Q)
        Result of :func:`harmonic_levels`, usually up to 5000 Hz.

    Returns
    -------
    ndarray of float64, shape (G,)
        0 without measurement.
    """
    first = np.nan_to_num(levels[:, 0])
    result = np.zeros(len(levels))
    np.divide(np.nansum(levels[:, 1:], axis=1), first, out=result, where=first != 0)
    return result


def parabolic_spectral_parameter(*, flow: Float64Array, cycles: GlottalCycles) -> Float64Array:
    """Curvature of the low spectrum of every cycle, relative to that of a rectangle.

    Alku et al. 1997: the parabola is fitted to as many bins as keep the error under 1 %.

    Parameters
    ----------
    flow : ndarray of float64, shape (N,)
        Glottal flow.
    cycles : GlottalCycles
        Cycles within `flow`.

    Returns
    -------
    ndarray of float64, shape (G,)
        Greater the steeper the spectrum falls. 0 in a recording's first cycle, whose beginning is
        not known, without measurement, and for a period of 512 samples, where the rectangle's
        spectrum has a hole.
    """
    complete = cycles.ends - cycles.starts == cycles.periods
    rows = np.flatnonzero(measurable(cycles=cycles) & complete)
    result = np.zeros(len(cycles.ends))
    for batch in blocks(count=len(rows), size=BATCH):
        part = rows[batch]
        pulses = _scaled_pulses(flow, cycles.starts[part], cycles.ends[part])
        curvatures = _curvatures(pulses) / _rectangles()[cycles.periods[part]]
        result[part] = np.nan_to_num(curvatures)
    return result


def _power(
    derivative: Float64Array, ends: IntArray, periods: IntArray, n_bins: int
) -> Float64Array:
    """Power spectra in bins 0..n_bins - 1 of 1 Hz, or in all 16000 where those are too few."""
    frames = _hamming_windowed(derivative, ends, round_half_away(1.5 * periods))
    whole = n_bins >= N_BINS
    n_bins = min(n_bins, N_BINS)
    spectra = scipy.signal.zoom_fft(frames, [0, n_bins], m=n_bins, fs=SAMPLE_RATE)
    power = spectra.real**2 + spectra.imag**2
    return np.concatenate([power, power[:, -2:0:-1]], axis=1) if whole else power


@functools.cache
def _rectangles() -> Float64Array:
    """Curvature for a flow that is constant over a whole period, by the period."""
    periods = np.arange(LONGEST + 1)[:, None]
    rectangles = (np.arange(LONGEST) < periods) / np.maximum(periods, 1)
    return np.concatenate(
        [_curvatures(rectangles[part]) for part in blocks(count=LONGEST + 1, size=BATCH)]
    )


def _curvatures(pulses: Float64Array) -> Float64Array:
    spectra = scipy.fft.rfft(pulses, PARABOLA_LENGTH, axis=1)[:, :-1]
    return np.asarray(_fitted_curvatures(spectra.real**2 + spectra.imag**2))


@numba.njit(cache=True, nogil=True)
def _hamming_windowed(x: Float64Array, centres: IntArray, halves: IntArray) -> Float64Array:
    """Windows cut off where `x` begins and ends, padded with zeros to the longest."""
    frames = np.zeros((len(centres), 2 * halves.max() + 1))
    for k in range(len(centres)):
        first = max(centres[k] - halves[k], 0)
        length = min(centres[k] + halves[k], len(x) - 1) - first + 1
        for n in range(length):
            weight = 0.54 - 0.46 * np.cos(2 * np.pi * n / max(length - 1, 1))
            frames[k, n] = weight * x[first + n]
    return frames


@numba.njit(cache=True, nogil=True)
def _harmonics(
    power: Float64Array, f0: Float64Array, counts: IntArray, levels: Float64Array, rows: IntArray
) -> BoolArray:
    """Fill in `levels` where the bins at hand settle them, and tell where they do."""
    settled = np.zeros(len(rows), np.bool_)
    for i in range(len(rows)):
        peaks = _peaks(power[i])
        whole = len(power[i]) == SAMPLE_RATE
        if not whole:
            peaks = _isolated(peaks, len(power[i]), f0[i] / 2)
        peaks = _purged(peaks, power[i], f0[i] / 2)
        # the mirrored half of the spectrum holds as many peaks again
        enough = 2 * len(peaks) > FEWEST_PEAKS
        settled[i] = whole or (enough and peaks[-1] >= counts[i] * f0[i])
        if settled[i] and (not whole or len(peaks) >= FEWEST_PEAKS):
            for q in range(counts[i]):
                nearest = peaks[np.argmin(np.abs(peaks - (q + 1) * f0[i]))]
                levels[rows[i], q] = 10 * np.log10(power[i, nearest - 1]) + FULL_SCALE
    return settled


@numba.njit(cache=True, nogil=True)
def _peaks(power: Float64Array) -> IntArray:
    """Strict local maxima, in bins that count from 1 as in COVAREP."""
    peaks = np.empty(len(power), np.int64)
    count = 0
    for b in range(1, len(power) - 1):
        if power[b - 1] < power[b] > power[b + 1]:
            peaks[count] = b + 1
            count += 1
    return peaks[:count]


@numba.njit(cache=True, nogil=True)
def _isolated(peaks: IntArray, n_bins: int, distance: float) -> IntArray:
    """Keep those peaks from which no chain of close ones leads beyond the known bins."""
    following = n_bins
    for i in range(len(peaks) - 1, -1, -1):
        if following - peaks[i] > distance:
            return peaks[: i + 1]
        following = peaks[i]
    return peaks[:0]


@numba.njit(cache=True, nogil=True)
def _purged(peaks: IntArray, power: Float64Array, distance: float) -> IntArray:
    """Drop the lower, or later, of all neighbours that are too close, until none are."""
    while True:
        kept = np.ones(len(peaks), np.bool_)
        for i in range(len(peaks) - 1):
            if peaks[i + 1] - peaks[i] <= distance:
                lower = i + 1 if power[peaks[i] - 1] >= power[peaks[i + 1] - 1] else i
                kept[lower] = False
        if kept.all():
            return peaks
        peaks = peaks[kept]


@numba.njit(cache=True, nogil=True)
def _scaled_pulses(flow: Float64Array, starts: IntArray, ends: IntArray) -> Float64Array:
    """Flow of every cycle between 0 and 1, padded with zeros; all 0 if it does not change."""
    pulses = np.zeros((len(starts), (ends - starts).max() + 1))
    for k in range(len(starts)):
        pulse = flow[starts[k] : ends[k] + 1]
        low, high = pulse.min(), pulse.max()
        if high > low:
            for n in range(len(pulse)):
                pulses[k, n] = (pulse[n] - low) / (high - low)
    return pulses


@numba.njit(cache=True, nogil=True)
def _fitted_curvatures(power: Float64Array) -> Float64Array:
    """Slope over the squared bin of the level in dB, fitted to 3 bins, 4 bins ... until it misfits.

    The misfit is the squared error by the sum of the squared levels. NaN where an empty bin is
    met: without a pulse, and for a rectangle of 512 samples.
    """
    curvatures = np.zeros(len(power))
    for i in range(len(power)):
        su = suu = sx = sux = sxx = 0.0
        for k in range(power.shape[1]):
            u, x = float(k * k), 10 * np.log10(power[i, k])
            su, suu, sx, sux, sxx = su + u, suu + u * u, sx + x, sux + u * x, sxx + x * x
            if k >= 2:
                covariance = sux - su * sx / (k + 1)
                curvatures[i] = covariance / (suu - su * su / (k + 1))
                error = sxx - sx * sx / (k + 1) - curvatures[i] * covariance
                if error >= MISFIT * sxx:
                    break
    return curvatures
