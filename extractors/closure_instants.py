"""Glottal closure instants by SEDREAMS: speech event detection from residual and mean-based signal.

References
----------
T. Drugman and T. Dutoit, "Glottal closure and opening instant detection from speech signals",
Interspeech 2009.
T. Drugman, M. Thomas, J. Gudnason, P. Naylor and T. Dutoit, "Detection of glottal closure instants
from speech signals: a quantitative review", IEEE TASLP 20(3), 2012.
"""

from dataclasses import dataclass

import numba
import numpy as np
import scipy.signal

from extractors.framing import SAMPLE_RATE, Float64Array, IntArray, Samples, blocks, round_half_away
from extractors.pitch import PitchTrack
from extractors.sequence import BoolArray

# Voices whose median sets the window, Hz, both excluded.
F0_LOWEST, F0_HIGHEST = 50, 500
WINDOW_PERIODS = 1.7
STRONG = 0.4  # of the greatest residual
SEARCHED = 0.35  # of half a cycle, on either side of where the residual usually peaks
BLOCK = 1 << 19
# The high-pass decays by 1e-15 within this many samples, so blocks give what one piece gives.
MARGIN = 40000
LONGEST_GAP = 30 * SAMPLE_RATE


@dataclass(frozen=True, kw_only=True, eq=False)
class GlottalCycles:
    """Cycles of the voice, one ending at each instant of glottal closure.

    Parameters
    ----------
    starts, ends : ndarray of int64, shape (G,)
        First and last sample of every cycle.
    periods : ndarray of int64, shape (G,)
        Durations in samples, > 0. They differ from ``ends - starts`` only in a recording's first
        cycle, of which no beginning is known.
    """

    starts: IntArray
    ends: IntArray
    periods: IntArray


def closure_instants(*, signal: Samples, residual: Samples, track: PitchTrack) -> IntArray:
    """Find the instants at which the glottis closes (Drugman & Dutoit 2009, section 2).

    The mean-based signal swings once a cycle; within every swing from a minimum to the maximum
    the greatest residual is taken, about where strong residuals lie in the whole recording.
    Works in blocks of half a minute, so that memory hardly grows with the sound.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz with positive polarity.
    residual : ndarray of float, shape (N,)
        Residual of linear prediction of order 18, its greatest magnitude 1; NaN counts as 0.
    track : PitchTrack
        Pitch of the same sound. The median over voiced frames of 50 to 500 Hz sets the window of
        the mean-based signal, so it has to be the track of the whole sound.

    Returns
    -------
    ndarray of int64, shape (G,)
        Increasing sample numbers, from 1 on, all where `track` is voiced. Empty if no frame is.
    """
    usual = track.voiced & (track.f0 > F0_LOWEST) & (track.f0 < F0_HIGHEST)
    if not usual.any():
        return np.zeros(0, np.int64)
    minima, maxima = _swings(signal=signal, f0=float(np.median(track.f0[usual])))
    if len(minima) == 0:
        return minima
    strong = [
        block.start + np.flatnonzero(residual[block] > STRONG)
        for block in blocks(count=len(residual), size=BLOCK)
    ]
    place = _usual_place(strong=np.concatenate(strong), minima=minima, maxima=maxima)
    swing = maxima - minima
    instants = np.unique(
        _strongest(
            residual,
            minima + round_half_away((place - SEARCHED) * swing),
            minima + round_half_away((place + SEARCHED) * swing),
        )
    )
    voicing = np.interp(
        instants, track.positions, track.voiced.astype(np.float64), left=0.0, right=0.0
    )
    return instants[(instants >= 1) & (voicing >= 0.5)]


def glottal_cycles(*, instants: IntArray) -> GlottalCycles:
    """Take the time between two instants for a cycle, be it a pause.

    Parameters
    ----------
    instants : ndarray of int64, shape (G,)
        Increasing sample numbers of glottal closure, >= 0.

    Returns
    -------
    GlottalCycles
        ``G`` cycles; the first starts with the sound, but at most 30 s before it ends, and has
        the period of the second. No cycle if there are fewer than two instants.
    """
    if len(instants) < 2:
        instants = instants[:0]
    periods = np.diff(instants)
    before = np.maximum(instants[:1] - LONGEST_GAP, 0)
    return GlottalCycles(
        starts=np.concatenate([before, instants[:-1]]),
        ends=instants,
        periods=np.concatenate([periods[:1], periods]),
    )


def mean_based_signal(*, signal: Samples, f0: float) -> Float64Array:
    """Average under a window of 1.7 periods, without drift (Drugman & Dutoit 2009, eq. 1).

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz.
    f0 : float
        Mean pitch in Hz, > 0.

    Returns
    -------
    ndarray of float64, shape (N,)
        Blackman-weighted mean around every sample, high-passed at 50 Hz in both directions; before
        that, zero where the window leaves the sound.
    """
    half = int(round_half_away(WINDOW_PERIODS * round_half_away(SAMPLE_RATE / f0) / 2))
    mean = np.zeros(len(signal))
    if len(signal) > 2 * half:
        window = np.blackman(2 * half + 1) / (2 * half + 1)
        mean[half : len(mean) - half] = np.convolve(signal.astype(np.float64), window, "valid")
    b, a = scipy.signal.ellip(5, 3, 60, 50 / (SAMPLE_RATE / 2), btype="highpass")
    pad = min(3 * (len(b) - 1), max(len(mean) - 1, 0))
    return np.asarray(scipy.signal.filtfilt(b, a, mean, padlen=pad) if len(mean) else mean)


def _swings(*, signal: Samples, f0: float) -> tuple[IntArray, IntArray]:
    """Minima of the mean-based signal, each with the maximum that follows."""
    found = []
    for block in blocks(count=len(signal), size=BLOCK):
        first = max(0, block.start - MARGIN)
        mean = mean_based_signal(signal=signal[first : block.stop + MARGIN], f0=f0)
        at, is_maximum = _turning_points(mean)
        inside = (at + first >= block.start) & (at + first < block.stop)
        found.append((at[inside] + first, is_maximum[inside]))
    at = np.concatenate([positions for positions, _ in found])
    is_maximum = np.concatenate([kinds for _, kinds in found])
    minima, maxima = at[~is_maximum], at[is_maximum]
    following = np.searchsorted(maxima, minima)
    kept = following < len(maxima)
    return minima[kept], maxima[following[kept]]


def _turning_points(x: Float64Array) -> tuple[IntArray, BoolArray]:
    """Strict local extrema and whether they are maxima; a plateau counts by its first sample."""
    step = np.diff(x)
    changes = np.flatnonzero(step)
    rising = step[changes] > 0
    turns = np.flatnonzero(rising[1:] != rising[:-1])
    return changes[turns] + 1, rising[turns]


def _usual_place(*, strong: IntArray, minima: IntArray, maxima: IntArray) -> float:
    """Median place of strong residuals between the nearest minimum (0) and its maximum (1)."""
    if len(strong) == 0:
        return 0.0
    right = np.minimum(np.searchsorted(minima, strong), len(minima) - 1)
    left = np.maximum(right - 1, 0)
    nearest = np.where(strong - minima[left] <= minima[right] - strong, left, right)
    place = (strong - minima[nearest]) / (maxima[nearest] - minima[nearest])
    return float(np.median(place))


@numba.njit(cache=True, nogil=True)
def _strongest(residual: Samples, first: IntArray, last: IntArray) -> IntArray:
    """Sample of the greatest residual of every range, the first one of equals."""
    found = np.empty_like(first)
    final = len(residual) - 1
    for k in range(len(first)):
        best, height = 0, -np.inf
        for n in range(min(max(first[k], 0), final), min(max(last[k], 0), final) + 1):
            value = 0.0 if np.isnan(residual[n]) else residual[n]
            if value > height:
                best, height = n, value
        found[k] = best
    return found
