"""Mean and deviation of the voice's phase distortion, of a harmonic model.

References
----------
G. Degottex and D. Erro, "A uniform phase representation for the harmonic model in speech synthesis
applications", EURASIP J. Audio, Speech and Music Processing 2014:38.
G. Degottex and D. Erro, "A measure of phase randomness for the harmonic model in speech
synthesis", Interspeech 2014.
"""

import numba
import numpy as np
import scipy.fft
import scipy.signal

from extractors.cepstral import frequency_warped_cepstrum
from extractors.framing import SAMPLE_RATE, Float64Array, IntArray, interpolate_to_grid
from extractors.harmonics import Harmonics

N_BINS = 513
BIN_WIDTH = SAMPLE_RATE / 2 / (N_BINS - 1)
HMPDD_ORDER = 12
# COVAREP places these two descriptors a sample later than all others. It interpolates them to 5 ms
# first, which changes nothing, as every other point of that grid is a frame.
POSITION_SHIFT = 1
# First bins of the bands: single bins at first, then ever wider ones.
BANDS = (*range(9), 10, 13, 17, 22, 28, 36, 46, 58, 72, 89, 110, 135, 166, 207, 264, 358)
N_MEAN, N_TREND = 25, 9  # frames
CONTEXT = N_MEAN - 1  # frames on either side that a smoothed frame depends on
ROUNDING = 1e-12  # lengths of vectors are right to this
LEAST = 0.001  # stands for no deviation, before its logarithm
# COVAREP finds no deviation in a recording's first and last frame, but for rounding: half the bins
# become LEAST there, half an arbitrary multiple of sqrt(2 eps). This is the geometric mean.
LEAST_ROUNDED = float(np.sqrt(LEAST * np.sqrt(2 * np.finfo(np.float64).eps)))


def phase_distortion(
    *, harmonics: Harmonics, f0: Float64Array, random_phases: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Cosine and sine of the phase distortion of every frame (Degottex & Erro 2014).

    The distortion is the difference between neighbouring harmonics' phases, after the minimum
    phase of the amplitudes' envelope and the delay of the first harmonic are taken out.

    Parameters
    ----------
    harmonics : Harmonics
        Of M frames.
    f0 : ndarray of float64, shape (M,)
        Pitch in Hz, > 0.
    random_phases : ndarray of float64, shape (M,)
        Phases in rad, which each frame takes on where its harmonics end.

    Returns
    -------
    cosine, sine : ndarray of float64, shape (M, 513)
        Bins of 15.625 Hz; the distortion is 0 below 0.95 f0.
    """
    log_envelopes = np.empty((len(f0), N_BINS))
    _envelopes(harmonics.log_amplitudes, harmonics.f1, harmonics.counts, log_envelopes)
    cepstra = scipy.fft.irfft(log_envelopes, axis=1)
    cepstra[:, 1 : N_BINS - 1] *= 2
    cepstra[:, N_BINS:] = 0
    minimum_phases = scipy.fft.rfft(cepstra, axis=1).imag
    distortion = np.empty((len(f0), N_BINS))
    _distortion(
        harmonics.phases,
        harmonics.f1,
        harmonics.counts,
        np.ascontiguousarray(minimum_phases),
        f0,
        random_phases,
        distortion,
    )
    return np.cos(distortion), np.sin(distortion)


def phase_statistics(
    *, cosine: Float64Array, sine: Float64Array, first: bool = True, last: bool = True
) -> tuple[Float64Array, Float64Array]:
    """Mean and deviation of the phase distortion over time (Degottex & Erro 2014).

    The mean is that of 250 ms, and of a band's bins. The deviation is the circular standard
    deviation over 90 ms about a smooth trend; the cepstrum of its logarithm on the mel axis is
    returned.

    Parameters
    ----------
    cosine, sine : ndarray of float64, shape (M, 513)
        Result of :func:`phase_distortion`, frames of 10 ms.
    first, last : bool, optional
        Whether the recording begins or ends with these frames. Where it does not, the 24 outer
        ones are only context.

    Returns
    -------
    means : ndarray of float64, shape (M, 25)
        Angles in rad in [-pi, pi], columns HMPDM_0..HMPDM_24; NaN in frames of context.
    deviations : ndarray of float64, shape (M, 13)
        Coefficients 0..12, columns HMPDD_0..HMPDD_12; NaN in frames of context.
    """
    if len(cosine) == 0:
        return np.zeros((0, len(BANDS))), np.zeros((0, HMPDD_ORDER + 1))
    edges = (0 if first else CONTEXT), (0 if last else CONTEXT)
    inner = slice(edges[0], len(cosine) - edges[1])
    means = _band_means(cosine, sine, first, last)
    length = _resultant(cosine, sine, first, last)
    unused = CONTEXT - (N_TREND // 2 + 2 * (N_TREND - 1))
    length = length[0 if first else unused : len(length) - (0 if last else unused)]
    cepstra = frequency_warped_cepstrum(
        envelopes=_deviations(length, sine[inner]), order=HMPDD_ORDER
    )
    padded = [np.pad(part, (edges, (0, 0)), constant_values=np.nan) for part in (means, cepstra)]
    return padded[0], padded[1]


def phase_mean_on_grid(
    *, means: Float64Array, positions: Float64Array, n_samples: int
) -> Float64Array:
    """Bring mean phase distortions onto the output rows, the shorter way around.

    Parameters
    ----------
    means : ndarray of float64, shape (M, 25)
        One row per pitch frame; frames of NaN are interpolated across.
    positions : ndarray of float64, shape (M,)
        Positions of the frames' centres.
    n_samples : int
        Length of the sound in samples.

    Returns
    -------
    ndarray of float64, shape (J, 25)
        In [-pi, pi]; NaN where no measured frame lies on both sides.
    """
    measured = np.isfinite(means).all(axis=1)
    angles = interpolate_to_grid(
        values=np.unwrap(means[measured], axis=0),
        positions=positions[measured] + POSITION_SHIFT,
        n_samples=n_samples,
    )
    return np.asarray(angles - 2 * np.pi * np.round(angles / (2 * np.pi)))


def phase_deviation_on_grid(
    *, deviations: Float64Array, positions: Float64Array, n_samples: int
) -> Float64Array:
    """Bring cepstra of phase deviation onto the output rows.

    Parameters
    ----------
    deviations : ndarray of float64, shape (M, 13)
        One row per pitch frame; frames of NaN are interpolated across.
    positions : ndarray of float64, shape (M,)
        Positions of the frames' centres.
    n_samples : int
        Length of the sound in samples.

    Returns
    -------
    ndarray of float64, shape (J, 13)
        NaN where no measured frame lies on both sides.
    """
    measured = np.isfinite(deviations).all(axis=1)
    return interpolate_to_grid(
        values=deviations[measured],
        positions=positions[measured] + POSITION_SHIFT,
        n_samples=n_samples,
    )


def _band_means(cosine: Float64Array, sine: Float64Array, first: bool, last: bool) -> Float64Array:
    """Circular means of bands, of directions that are means over 25 frames."""
    taps = np.full(N_MEAN, 1 / N_MEAN)
    x, y = (_zero_phase(part, taps, first, last) for part in (cosine, sine))
    length = np.hypot(x, y)
    nowhere = length == 0
    x[nowhere] = length[nowhere] = 1
    bands = [np.add.reduceat((part / length)[:, :-1], BANDS, axis=1) for part in (y, x)]
    return np.asarray(np.arctan2(*bands))


def _resultant(cosine: Float64Array, sine: Float64Array, first: bool, last: bool) -> Float64Array:
    """Length of the mean over 9 frames of the directions, turned back by their trend."""
    window = np.hanning(N_TREND)
    window /= window.sum()
    x, y = (
        _zero_phase(_running_medians(part, first, last), window, first, last)
        for part in (cosine, sine)
    )
    lost = N_TREND // 2 + N_TREND - 1
    inner = slice(0 if first else lost, len(cosine) - (0 if last else lost))
    _turn_back(x, y, cosine[inner], sine[inner])
    taps = np.full(N_TREND, 1 / N_TREND)
    x, y = (_zero_phase(part, taps, first, last) for part in (x, y))
    return np.asarray(np.hypot(x, y))


def _deviations(length: Float64Array, sine: Float64Array) -> Float64Array:
    """Circular standard deviations in rad, none of them 0."""
    least = np.finfo(np.float64).tiny
    deviations: Float64Array = np.sqrt(-2 * np.log(np.clip(length, least, 1)))
    deviations[deviations == 0] = LEAST
    deviations[(np.abs(length - 1) < ROUNDING) & (sine != 0)] = LEAST_ROUNDED
    deviations[:, 0] = deviations[:, 1]
    return deviations


def _zero_phase(values: Float64Array, taps: Float64Array, first: bool, last: bool) -> Float64Array:
    """Filter along time, forwards and backwards.

    A recording is extended oddly at its ends, and beyond its own length by the outermost value.
    The products are always added in the same order, so that cutting a recording changes nothing,
    not even by rounding, on which deviations next to 0 depend.
    """
    reach = len(taps) - 1
    odd = min(reach, len(values) - 1)
    missing = reach - odd
    parts = [values]
    if first:
        head = 2 * values[0] - values[odd:0:-1]
        parts = [np.repeat(head[:1] if odd else values[:1], missing, axis=0), head, *parts]
    if last:
        tail = 2 * values[-1] - values[-2 : -2 - odd : -1]
        parts += [tail, np.repeat(tail[-1:] if odd else values[-1:], missing, axis=0)]
    extended = np.concatenate(parts) if len(parts) > 1 else values
    forwards = _weighted_sums(extended, taps, False)
    return np.asarray(_weighted_sums(forwards, taps, True))


@numba.njit(cache=True, nogil=True)
def _weighted_sums(values: Float64Array, taps: Float64Array, backwards: bool) -> Float64Array:
    """Add as many rows as there are taps, from the first or from the last."""
    rows = max(len(values) - len(taps) + 1, 0)
    sums = np.zeros((rows, values.shape[1]))
    for i in range(rows):
        for j in range(len(taps)):
            row = i + (len(taps) - 1 - j if backwards else j)
            for b in range(values.shape[1]):
                sums[i, b] += taps[j] * values[row, b]
    return sums


def _running_medians(values: Float64Array, first: bool, last: bool) -> Float64Array:
    """Medians of 9 rows; a recording is extended by zeros."""
    ends = np.zeros((N_TREND // 2, values.shape[1]))
    parts = [ends] * first + [values] + [ends] * last
    return np.asarray(_medians_of_nine(np.concatenate(parts) if len(parts) > 1 else values))


@numba.njit(cache=True, nogil=True)
def _medians_of_nine(values: Float64Array) -> Float64Array:
    """Median of the greatest low, the median middle and the least high of three triples."""
    medians = np.empty((max(len(values) - 8, 0), values.shape[1]))
    for i in range(len(medians)):
        for b in range(values.shape[1]):
            low1, middle1, high1 = _sorted(values[i, b], values[i + 1, b], values[i + 2, b])
            low2, middle2, high2 = _sorted(values[i + 3, b], values[i + 4, b], values[i + 5, b])
            low3, middle3, high3 = _sorted(values[i + 6, b], values[i + 7, b], values[i + 8, b])
            low = max(max(low1, low2), low3)
            middle = _sorted(middle1, middle2, middle3)[1]
            high = min(min(high1, high2), high3)
            medians[i, b] = _sorted(low, middle, high)[1]
    return medians


@numba.njit(cache=True, nogil=True)
def _sorted(a: float, b: float, c: float) -> tuple[float, float, float]:
    low, high = min(a, b), max(a, b)
    return min(low, c), max(low, min(high, c)), max(high, c)


@numba.njit(cache=True, nogil=True)
def _turn_back(
    trend_x: Float64Array, trend_y: Float64Array, cosine: Float64Array, sine: Float64Array
) -> None:
    """Replace the trend by unit vectors of what is left of the angles without it."""
    for i in range(trend_x.shape[0]):
        for b in range(trend_x.shape[1]):
            x, y = trend_x[i, b], trend_y[i, b]
            length = np.sqrt(x * x + y * y)
            if length < ROUNDING:
                x, y, length = 1.0, 0.0, 1.0
            c, s = cosine[i, b], sine[i, b]
            trend_x[i, b] = (c * x + s * y) / length
            trend_y[i, b] = (s * x - c * y) / length


@numba.njit(cache=True, nogil=True)
def _envelopes(
    log_amplitudes: Float64Array, f1: Float64Array, counts: IntArray, out: Float64Array
) -> None:
    """Join the log amplitudes by straight lines; constant before the first and after the last."""
    for k in range(len(f1)):
        for b in range(N_BINS):
            place = b * BIN_WIDTH / f1[k]
            if place >= counts[k]:
                out[k, b] = log_amplitudes[k, counts[k]]
            elif place < 1:
                out[k, b] = log_amplitudes[k, 1]
            else:
                q = int(place)
                step = log_amplitudes[k, q + 1] - log_amplitudes[k, q]
                out[k, b] = log_amplitudes[k, q] + (place - q) * step


@numba.njit(cache=True, nogil=True)
def _distortion(
    phases: Float64Array,
    f1: Float64Array,
    counts: IntArray,
    minimum_phases: Float64Array,
    f0: Float64Array,
    random_phases: Float64Array,
    out: Float64Array,
) -> None:
    """Differences of the harmonics' phases, interpolated from 0 Hz on by the shorter way."""
    rest = np.zeros(phases.shape[1])
    differences = np.zeros(phases.shape[1] + 1)
    for k in range(len(f0)):
        count = counts[k]
        for q in range(1, count + 1):
            place = min(q * f1[k] / BIN_WIDTH, N_BINS - 1.0)
            rest[q] = phases[k, q] - _between(minimum_phases[k], place)
        # difference number q lies at (q + 1) f0
        for q in range(1, count):
            differences[q] = _wrapped(rest[q + 1] - rest[q] - rest[1])
        differences[count] = random_phases[k]
        for b in range(N_BINS):
            place = b * BIN_WIDTH / f0[k] - 1
            q = min(int(place), count - 1)
            turn = _wrapped(differences[q + 1] - differences[q])
            out[k, b] = differences[q] + (place - q) * turn if place > 0 else 0.0


@numba.njit(cache=True, nogil=True)
def _between(values: Float64Array, place: float) -> float:
    left = min(int(place), len(values) - 2)
    return float(values[left] + (place - left) * (values[left + 1] - values[left]))


@numba.njit(cache=True, nogil=True)
def _wrapped(angle: float) -> float:
    return float(angle - 2 * np.pi * np.round(angle / (2 * np.pi)))
