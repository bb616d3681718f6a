"""Glottal flow by iterative adaptive inverse filtering, synchronous with glottal closure.

References
----------
P. Alku, "Glottal wave analysis with pitch synchronous iterative adaptive inverse filtering",
Speech Communication 11, 1992.
"""

import functools

import numba
import numpy as np
import scipy.signal

from extractors.closure_instants import LONGEST_GAP
from extractors.framing import SAMPLE_RATE, Float64Array, IntArray, Samples

TRACT_ORDER, SOURCE_ORDER = 20, 8
LEAK = 0.99  # of the integrator that cancels the radiation of the lips
LEAD = TRACT_ORDER + 1  # samples of a ramp in front of a frame, which let the filters settle
HIGH_PASS_LENGTH = 301


def glottal_flow(
    *, signal: Samples, instants: IntArray, start: int = 0, stop: int | None = None
) -> tuple[Float64Array, Float64Array]:
    """Estimate the flow through the glottis and its derivative (Alku 1992).

    Around every closure instant one cycle on either side is weighted by a Hann window, inverse
    filtered, and added to what neighbouring instants give. A cycle lasts since the instant before,
    however long ago that is, up to 30 s; the first one as long as the second.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz with positive polarity.
    instants : ndarray of int64, shape (G,)
        Increasing sample numbers of glottal closure.
    start, stop : int, optional
        Range of samples to compute, 0 <= start <= stop <= N; all of them by default. A part has
        the very values of the whole, and needs memory for itself and a minute or two at most.

    Returns
    -------
    flow, derivative : ndarray of float64, shape (stop - start,)
        In arbitrary units that scale with the sound; zero where no frame reaches, and everywhere
        if there are fewer than two instants.
    """
    stop = len(signal) if stop is None else stop
    flow, derivative = np.zeros(stop - start), np.zeros(stop - start)
    centres, periods = _frames(instants=instants, start=start, stop=stop)
    if len(centres):
        first = max(0, int((centres - periods).min()))
        part = signal[first : int((centres + periods).max()) + 1].astype(np.float64)
        _add_frames(part, centres - first, periods, _high_pass(), flow, derivative, start - first)
    return flow, derivative


def _frames(*, instants: IntArray, start: int, stop: int) -> tuple[IntArray, IntArray]:
    """Centres and half lengths of all frames that reach into a range of samples."""
    if len(instants) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    reach = (start - LONGEST_GAP, stop + LONGEST_GAP + 1)
    low, high = np.searchsorted(instants, reach)
    periods = np.diff(instants[max(low - 1, 0) : high])
    if low == 0:
        periods = np.concatenate([[instants[1] - instants[0]], periods])
    periods = np.minimum(periods, LONGEST_GAP)[: high - low]
    # one sample early, as COVAREP takes these sample numbers, from 0, for positions, from 1
    centres = instants[low:high] - 1
    needed = (centres - periods < stop) & (centres + periods >= start)
    return centres[needed], periods[needed]


@functools.cache
def _high_pass() -> Float64Array:
    """Right half of a symmetric filter that takes away what lies below 40 Hz."""
    taps = scipy.signal.firls(HIGH_PASS_LENGTH, [0, 40, 70, 8000], [0, 0, 1, 1], fs=SAMPLE_RATE)
    return np.ascontiguousarray(taps[HIGH_PASS_LENGTH // 2 :])


@numba.njit(cache=True, nogil=True)
def _add_frames(
    signal: Float64Array,
    centres: IntArray,
    periods: IntArray,
    high_pass: Float64Array,
    flow: Float64Array,
    derivative: Float64Array,
    start: int,
) -> None:
    """Add every frame to `flow` and `derivative`, whose first sample is `start` of `signal`."""
    for k in range(len(centres)):
        first = max(centres[k] - periods[k], 0)
        last = min(centres[k] + periods[k], len(signal) - 1)
        length = last - first + 1
        if length < LEAD:
            continue
        frame, window = np.empty(length), np.empty(length)
        for n in range(length):
            window[n] = 0.5 - 0.5 * np.cos(2 * np.pi * (n + 1) / (length + 1))
            frame[n] = signal[first + n] * window[n]
        frame = _filtered(frame, high_pass)
        frame_flow, frame_derivative = _inverse_filtered(frame, window)
        for n in range(max(first, start), min(last + 1, start + len(flow))):
            flow[n - start] += frame_flow[n - first]
            derivative[n - start] += frame_derivative[n - first]


@numba.njit(cache=True, nogil=True)
def _filtered(frame: Float64Array, half: Float64Array) -> Float64Array:
    """Filter by a symmetric response without delay; the frame is zero outside."""
    reach = len(half) - 1
    padded = np.zeros(len(frame) + 2 * reach)
    out = np.empty(len(frame))
    for n in range(len(frame)):
        padded[reach + n] = frame[n]
        out[n] = half[0] * frame[n]
    for k in range(1, reach + 1):
        before, after = padded[reach - k :], padded[reach + k :]
        for n in range(len(frame)):
            out[n] += half[k] * (before[n] + after[n])
    return out


@numba.njit(cache=True, nogil=True)
def _inverse_filtered(
    frame: Float64Array, window: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Flow and derivative of one frame: source and tract are estimated in turn, twice."""
    led = np.empty(LEAD + len(frame))
    for n in range(LEAD):
        led[n] = frame[0] * (2 * n / (LEAD - 1) - 1)
    for n in range(len(frame)):
        led[LEAD + n] = frame[n]
    source = _prediction_error(led, _predictor(frame, window, 1))
    tract = _prediction_error(led, _predictor(source[LEAD:], window, TRACT_ORDER))
    source = _predictor(_integrated(tract)[LEAD:], window, SOURCE_ORDER)
    without_source = _integrated(_prediction_error(led, source))
    derivative = _prediction_error(led, _predictor(without_source[LEAD:], window, TRACT_ORDER))
    return _integrated(derivative)[LEAD:], derivative[LEAD:]


@numba.njit(cache=True, nogil=True)
def _predictor(frame: Float64Array, window: Float64Array, order: int) -> Float64Array:
    """Inverse filter of linear prediction; 1, 0, ..., 0 in silence."""
    weighted = np.zeros(len(frame) + order)
    lags = np.zeros(order + 1)
    for n in range(len(frame)):
        weighted[n] = frame[n] * window[n]
    for n in range(len(frame)):
        for lag in range(order + 1):
            lags[lag] += weighted[n] * weighted[n + lag]
    inverse = np.zeros(order + 1)
    inverse[0] = 1.0
    error = lags[0]
    for i in range(1, order + 1):
        if error <= 0:
            break
        reflection = 0.0
        for j in range(i):
            reflection -= inverse[j] * lags[i - j] / error
        before = inverse.copy()
        for j in range(1, i + 1):
            inverse[j] += reflection * before[i - j]
        error *= 1 - reflection * reflection
    return inverse


@numba.njit(cache=True, nogil=True)
def _prediction_error(x: Float64Array, inverse: Float64Array) -> Float64Array:
    error = x.copy()
    for lag in range(1, len(inverse)):
        for n in range(lag, len(x)):
            error[n] += inverse[lag] * x[n - lag]
    return error


@numba.njit(cache=True, nogil=True)
def _integrated(x: Float64Array) -> Float64Array:
    total = x.copy()
    for n in range(1, len(x)):
        total[n] += LEAK * total[n - 1]
    return total
