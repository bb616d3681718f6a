"""How the energy of a voice is spread over octave bands: MDQ and peakSlope.

References
----------
J. Kane and C. Gobl, "Wavelet maxima dispersion for breathy to tense voice discrimination", IEEE
Transactions on Audio, Speech, and Language Processing 21(6), 2013.
J. Kane and C. Gobl, "Identifying regions of non-modal phonation using features of the wavelet
transform", Interspeech 2011.
C. d'Alessandro and N. Sturmel, "Glottal closure instant and voice source analysis using
time-scale lines of maximum amplitude", Sadhana 36(5), 2011.
"""

import functools
from collections.abc import Iterator

import numba
import numpy as np
import scipy.fft

from extractors.closure_instants import glottal_cycles
from extractors.framing import (
    GRID_HOP,
    Float64Array,
    IntArray,
    Samples,
    blocks,
    framed,
    round_half_away,
)
from extractors.sequence import BoolArray

REACH = 1000  # samples on either side of a wavelet's centre
FRAME_LENGTH = 640
FIRST_CENTRE = 320
DISPERSION_SCALES = (2, 3, 4, 5, 6)
SLOPE_SCALES = (0, 1, 2, 3, 4, 5, 6)
WINDOW_SHARE = 0.2  # of a period, on either side of an instant
FFT_LENGTH = 1 << 15
BLOCK = GRID_HOP * ((FFT_LENGTH - 2 * REACH) // GRID_HOP)  # samples of each transform that count


@functools.cache
def wavelet(*, scale: int) -> Float64Array:
    """Octave band filter: a cosine under a Gaussian (d'Alessandro & Sturmel 2011, eq. 2).

    Parameters
    ----------
    scale : int
        The band is centred on 8000 / 2**scale Hz, 0 <= scale <= 6.

    Returns
    -------
    ndarray of float64, shape (2001,)
        Symmetric about its middle.
    """
    n = np.arange(-REACH, REACH + 1) / 2.0**scale
    return np.asarray(-np.cos(np.pi * n) * np.exp(-(n**2) / 2))


def octave_bands(
    *, signal: Samples, scales: tuple[int, ...], start: int, stop: int
) -> Iterator[Float64Array]:
    """Filter a stretch of sound into octave bands, one after the other.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz, or its residual; NaN counts as 0.
    scales : tuple of int
        As in :func:`wavelet`.
    start, stop : int
        Samples [start, stop) are wanted, at least one.

    Yields
    ------
    ndarray of float64, shape (stop - start,)
        The band; the sound counts as 0 beyond its ends.
    """
    spectra = []
    for block in blocks(count=stop - start, size=BLOCK):
        piece = np.zeros(FFT_LENGTH)
        origin = start + block.start - REACH
        first, last = max(origin, 0), min(start + block.stop + REACH, len(signal))
        piece[first - origin : last - origin] = np.nan_to_num(signal[first:last])
        spectra.append(scipy.fft.rfft(piece))
    for scale in scales:
        bands = [scipy.fft.irfft(spectrum * _response(scale), FFT_LENGTH) for spectrum in spectra]
        whole = [band[2 * REACH : 2 * REACH + BLOCK] for band in bands]
        yield np.concatenate(whole)[: stop - start]


@functools.cache
def reach(*, scale: int) -> int:
    """Count the samples on either side of a wavelet's centre where it is not exactly 0.

    Parameters
    ----------
    scale : int
        As in :func:`wavelet`.

    Returns
    -------
    int
        At most 1000; less where the Gaussian underflows.
    """
    return int(np.flatnonzero(wavelet(scale=scale))[-1]) - REACH


def within_reach(*, marks: BoolArray, distance: int, start: int, stop: int) -> BoolArray:
    """Tell which samples have a marked one near them.

    Parameters
    ----------
    marks : ndarray of bool, shape (N,)
        Marks.
    distance : int
        How near, in samples, >= 0.
    start, stop : int
        Samples [start, stop) are wanted.

    Returns
    -------
    ndarray of bool, shape (stop - start,)
        Whether any mark lies within the distance.
    """
    counts = np.zeros(stop - start + 2 * distance + 1, np.int64)
    first, last = max(start - distance, 0), min(stop + distance, len(marks))
    counts[first - start + distance + 1 : last - start + distance + 1] = marks[first:last]
    total = np.cumsum(counts)
    return np.asarray(total[2 * distance + 1 :] > total[: -2 * distance - 1])


def peak_slopes(*, signal: Samples) -> Float64Array:
    """Slope of the octave bands' maxima over the octaves (Kane & Gobl 2011, section 2).

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz.

    Returns
    -------
    ndarray of float64, shape (F,)
        In log10 units per octave, for frames of 40 ms every 10 ms whose first is centred on
        position 320. 0 in digital silence, as in COVAREP; NaN at its edge, where one or two
        bands are silent and COVAREP has minus infinity.
    """
    count = max(0, (len(signal) - FRAME_LENGTH) // GRID_HOP + 1)
    maxima = np.zeros((count, len(SLOPE_SCALES)))
    # the samples that a block's frames need beyond its own
    tail = FRAME_LENGTH - GRID_HOP
    for block in blocks(count=count, size=BLOCK // GRID_HOP - tail // GRID_HOP):
        start, stop = block.start * GRID_HOP, block.stop * GRID_HOP + tail
        bands = octave_bands(signal=signal, scales=SLOPE_SCALES, start=start, stop=stop)
        for column, band in enumerate(bands):
            hops = np.abs(band).reshape(-1, GRID_HOP).max(axis=1)
            pieces = framed(signal=hops, length=FRAME_LENGTH // GRID_HOP, hop=1)
            maxima[block, column] = pieces.max(axis=1)
    for row in _silent_frames(signal, count):
        maxima[row] = _exact_maxima(signal, row * GRID_HOP)
    silent = (maxima == 0).sum(axis=1)
    levels = np.log10(np.where(maxima > 0, maxima, 1.0))
    octave = np.arange(len(SLOPE_SCALES)) - np.mean(SLOPE_SCALES)
    # scale 0 is the highest band, so that the slope rises with frequency
    slopes = levels @ (-octave / np.sum(octave**2))
    return np.select([silent == 0, silent <= 2], [slopes, np.full(count, np.nan)], 0.0)


def slope_positions(*, count: int) -> Float64Array:
    """Positions of the frames of :func:`peak_slopes`.

    Parameters
    ----------
    count : int
        Number of frames, >= 0.

    Returns
    -------
    ndarray of float64, shape (count,)
        320 + 160 m.
    """
    return FIRST_CENTRE + GRID_HOP * np.arange(count, dtype=np.float64)


def maxima_dispersion_quotients(*, residual: Samples, instants: IntArray) -> Float64Array:
    """Distance of the octave bands' maxima from the instants of closure (Kane & Gobl 2013, eq. 4).

    Parameters
    ----------
    residual : ndarray of float, shape (N,)
        Residual of linear prediction of order 18 of sound of 16 kHz; NaN in digital silence.
    instants : ndarray of int64, shape (G,)
        Increasing sample numbers of glottal closure.

    Returns
    -------
    ndarray of float64, shape (G,)
        Mean over five bands, in periods; 0 where no whole period lies on both sides, and
        everywhere if there are fewer than two instants.
    """
    quotients = np.zeros(len(instants))
    if len(instants) < 2:
        return quotients
    periods = glottal_cycles(instants=instants).periods
    halves = round_half_away(WINDOW_SHARE * periods)
    whole = (instants + 1 - periods > 0) & (instants + 1 + periods <= len(residual))
    missing = np.isnan(residual)
    for rows in _chunks(instants=instants, halves=halves, usable=np.flatnonzero(whole)):
        start = int((instants[rows] - halves[rows]).min())
        stop = int((instants[rows] + halves[rows]).max()) + 1
        bands = octave_bands(signal=residual, scales=DISPERSION_SCALES, start=start, stop=stop)
        for scale, band in zip(DISPERSION_SCALES, bands, strict=True):
            band[
                within_reach(marks=missing, distance=reach(scale=scale), start=start, stop=stop)
            ] = np.nan
            away = _distances(band, instants[rows] - start, halves[rows])
            quotients[rows] += away / periods[rows] / len(DISPERSION_SCALES)
    return quotients


def _chunks(*, instants: IntArray, halves: IntArray, usable: IntArray) -> Iterator[IntArray]:
    """Gather instants whose windows one transform can hold; a wider window is by itself."""
    rows: list[int] = []
    first = last = 0
    for row in usable.tolist():
        low, high = int(instants[row] - halves[row]), int(instants[row] + halves[row])
        if rows and max(last, high) - min(first, low) > BLOCK - 1:
            yield np.array(rows)
            rows = []
        first, last = (min(first, low), max(last, high)) if rows else (low, high)
        rows.append(row)
    if rows:
        yield np.array(rows)


def _silent_frames(signal: Samples, count: int) -> list[int]:
    """Frames of exact zeros, in which rounding would be all that a transform leaves."""
    hops = np.asarray(signal[: count * GRID_HOP + FRAME_LENGTH - GRID_HOP] != 0)
    loud = hops.reshape(-1, GRID_HOP).any(axis=1) if count else np.zeros(0, np.bool_)
    frames = framed(signal=np.asarray(loud, np.float64), length=FRAME_LENGTH // GRID_HOP, hop=1)
    return [int(row) for row in np.flatnonzero(~frames.any(axis=1))]


def _exact_maxima(signal: Samples, start: int) -> Float64Array:
    """Maxima of the bands in a frame, by the sum that defines them."""
    maxima = np.zeros(len(SLOPE_SCALES))
    piece = np.zeros(FRAME_LENGTH + 2 * REACH)
    first, last = max(start - REACH, 0), min(start + FRAME_LENGTH + REACH, len(signal))
    piece[first - start + REACH : last - start + REACH] = signal[first:last]
    if piece.any():
        for column, scale in enumerate(SLOPE_SCALES):
            side = reach(scale=scale)
            taps = wavelet(scale=scale)[REACH - side : REACH + side + 1]
            near = piece[REACH - side : REACH + FRAME_LENGTH + side]
            maxima[column] = np.abs(np.convolve(near, taps, mode="valid")).max()
    return maxima


@functools.cache
def _response(scale: int) -> Float64Array:
    """Transform of a wavelet that is delayed to begin at sample 0."""
    padded = np.zeros(FFT_LENGTH)
    padded[: 2 * REACH + 1] = wavelet(scale=scale)
    return np.asarray(scipy.fft.rfft(padded))


@numba.njit(cache=True, nogil=True)
def _distances(band: Float64Array, centres: IntArray, halves: IntArray) -> Float64Array:
    """Measure from the highest sample of every window to its centre, as COVAREP counts them."""
    found = np.zeros(len(centres))
    for i in range(len(centres)):
        first = centres[i] - halves[i]
        best = 0
        for k in range(2 * halves[i] + 1):
            if band[first + k] > band[first + best] or np.isnan(band[first + best]):
                best = k if not np.isnan(band[first + k]) else best
        # the window's middle is number half + 1 when counted from 1, COVAREP takes half
        found[i] = abs(best + 1 - halves[i])
    return found
