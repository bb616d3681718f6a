"""Shape of the glottal pulse, from the phases of the harmonics.

References
----------
G. Degottex, A. Roebel and X. Rodet, "Phase minimization for glottal model estimation", IEEE TASLP
19(5), 2011.
G. Degottex, A. Roebel and X. Rodet, "Function of phase-distortion for glottal model estimation",
ICASSP 2011.
R. P. Brent, "Algorithms for minimization without derivatives", Prentice-Hall 1973, chapter 5.
"""

import functools
from typing import Literal, get_args

import numba
import numpy as np

from extractors.framing import SAMPLE_RATE, Float64Array, interpolate_to_grid
from extractors.harmonics import Harmonics
from extractors.liljencrants_fant import ComplexArray, lf_parameters, lf_spectrum

Flavour = Literal["current", "1.4.1"]

LOWEST, HIGHEST = 0.3, 2.5
TOLERANCE = 0.01
MOST_EVALUATIONS = 32
HARMONICS = 8  # whose phases are compared
GRID_STEP = 0.0025  # cubics between these shapes are right to 1e-5 rad
GOLDEN = (3 - 5**0.5) / 2
ROOT_EPSILON = float(np.finfo(np.float64).eps) ** 0.5


def glottal_shape(
    *, harmonics: Harmonics, flavour: Flavour = "current"
) -> tuple[Float64Array, Float64Array]:
    """Shape of the LF pulse that leaves the least phase (Degottex et al., ICASSP 2011, MSPD2).

    A pulse of the right shape, taken out of the sound, leaves a vocal tract that has minimum
    phase. What is left beyond that is measured in second differences of the first harmonics'
    phases and minimised over 0.3 <= Rd <= 2.5 to 0.01.

    Parameters
    ----------
    harmonics : Harmonics
        Of M frames.
    flavour : {"current", "1.4.1"}, optional
        "current" equals COVAREP since version 1.4.2 and so the published features; there the
        model's phase enters with the opposite sign. "1.4.1" has it right: use it where the value
        is to mean a shape.

    Returns
    -------
    rd, confidence : ndarray of float64, shape (M,)
        Shape, and 1 minus the root mean square of the phase left over pi, 0 to 1. NaN where
        there are fewer than two harmonics.

    Raises
    ------
    ValueError
        If there is no such flavour.
    """
    if flavour not in get_args(Flavour):
        raise ValueError(f"flavour must be one of {get_args(Flavour)}, not {flavour!r}")
    within = np.floor(SAMPLE_RATE / 2 / harmonics.f1).astype(np.int64)
    counts = np.minimum(harmonics.counts, within)
    rd, error = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    for count in np.unique(counts[counts > 1]).tolist():
        rows = np.flatnonzero(counts == count)
        observed = _phase_beyond_minimum(
            phases=harmonics.phases[rows, 1 : count + 1],
            log_amplitudes=harmonics.log_amplitudes[rows, 1 : count + 1],
        )
        table = _model_distortion(count, -1 if flavour == "1.4.1" else 1)
        rd[rows], error[rows] = _fit(_distortion(observed), table)
    return rd, 1 - np.sqrt(error) / np.pi


def glottal_shape_on_grid(
    *, rd: Float64Array, confidence: Float64Array, positions: Float64Array, n_samples: int
) -> tuple[Float64Array, Float64Array]:
    """Bring the pulse's shape onto the output rows (columns Rd and Rd_conf).

    Parameters
    ----------
    rd, confidence : ndarray of float64, shape (M,)
        One value per pitch frame; frames of NaN are interpolated across.
    positions : ndarray of float64, shape (M,)
        Positions of the frames' centres.
    n_samples : int
        Length of the sound in samples.

    Returns
    -------
    rd, confidence : ndarray of float64, shape (J,)
        NaN where no measured frame lies on both sides.
    """
    measured = np.isfinite(rd)
    both = interpolate_to_grid(
        values=np.column_stack([rd, confidence])[measured],
        positions=positions[measured],
        n_samples=n_samples,
    )
    return both[:, 0], both[:, 1]


def _phase_beyond_minimum(*, phases: Float64Array, log_amplitudes: Float64Array) -> Float64Array:
    """Phases of harmonics 0..8 less the minimum phase of all amplitudes.

    Only harmonics 1..Q are given: those of frequency 0 and Q take over their neighbour's
    amplitude, and have no phase. Beyond Q the spectrum is mirrored.
    """
    count = phases.shape[1]
    ends = log_amplitudes[:, [0]], log_amplitudes[:, [count - 2]]
    symmetric = np.hstack([ends[0], log_amplitudes[:, :-1], ends[1]])
    rest = np.zeros((len(phases), HARMONICS + 1))
    low = min(HARMONICS + 1, count)
    rest[:, 1:low] = phases[:, : low - 1]
    rest[:, :low] -= symmetric @ _minimum_phase(count)[:, :low]
    for q in range(count + 1, min(HARMONICS + 1, 2 * count)):
        rest[:, q] = -rest[:, 2 * count - q]
    return rest[:, : 2 * count]


def _distortion(phases: Float64Array) -> Float64Array:
    """Differences between neighbouring harmonics less the first one's phase, from q = 2 on."""
    return np.diff(phases[:, 1:], axis=1) - phases[:, 1:2]


@functools.lru_cache(maxsize=256)
def _minimum_phase(count: int) -> Float64Array:
    """Matrix from log amplitudes of harmonics 0..Q to the minimum phase of harmonics 0..8.

    The minimum phase is the sine transform of twice the real cepstrum.
    """
    q, n, m = np.arange(HARMONICS + 1), np.arange(1, count), np.arange(count + 1)
    weights = np.full(count + 1, 2.0)
    weights[[0, -1]] = 1.0
    cepstrum = np.cos(np.pi / count * np.outer(m, n)) * weights[:, None] / (2 * count)
    return np.asarray(-2 * cepstrum @ np.sin(np.pi / count * np.outer(n, q)))


@functools.lru_cache(maxsize=512)
def _model_distortion(count: int, sign: int) -> Float64Array:
    """Distortion that taking out pulses of all shapes adds, on a grid of shapes."""
    spectra = _model_spectra(-(-count // 64) * 64)[:, :count]
    phases = np.unwrap(np.angle(spectra), axis=0)
    return _distortion(
        _phase_beyond_minimum(phases=sign * phases, log_amplitudes=-np.log(np.abs(spectra)))
    )


@functools.lru_cache(maxsize=8)
def _model_spectra(count: int) -> ComplexArray:
    steps = round((HIGHEST - LOWEST) / GRID_STEP) + 1
    shapes = LOWEST + GRID_STEP * np.arange(steps)
    return lf_spectrum(parameters=lf_parameters(rd=shapes), harmonics=np.arange(1, count + 1))


@numba.njit(cache=True, nogil=True)
def _fit(observed: Float64Array, table: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Shape of least error, and the error, of every frame."""
    best, errors = np.empty(len(observed)), np.empty(len(observed))
    for k in range(len(observed)):
        best[k], errors[k] = _minimum(observed[k], table)
    return best, errors


@numba.njit(cache=True, nogil=True)
def _minimum(observed: Float64Array, table: Float64Array) -> tuple[float, float]:
    """Brent's minimisation between bounds: by parabolas, else by golden sections."""
    low, high = LOWEST, HIGHEST
    x = second = third = low + GOLDEN * (high - low)
    fx = f2 = f3 = _error(observed, table, x)
    step = before = 0.0
    for _ in range(MOST_EVALUATIONS - 1):
        middle = (low + high) / 2
        least = ROOT_EPSILON * abs(x) + TOLERANCE / 3
        if abs(x - middle) <= 2 * least - (high - low) / 2:
            break
        p, q = _parabola(x, second, third, fx, f2, f3)
        if (
            abs(before) > least
            and abs(p) < abs(q * before / 2)
            and q * (low - x) < p < q * (high - x)
        ):
            before, step = step, p / q
            if min(x + step - low, high - x - step) < 2 * least:
                step = least if middle >= x else -least
        else:
            before = (low if x >= middle else high) - x
            step = GOLDEN * before
        tried = x + (max(step, least) if step >= 0 else min(step, -least))
        f = _error(observed, table, tried)
        if f <= fx:
            low, high = (x, high) if tried >= x else (low, x)
            x, second, third = tried, x, second
            fx, f2, f3 = f, fx, f2
            continue
        low, high = (tried, high) if tried < x else (low, tried)
        if f <= f2 or second == x:
            second, third = tried, second
            f2, f3 = f, f2
        elif f <= f3 or third in (x, second):
            third, f3 = tried, f
    return x, fx


@numba.njit(cache=True, nogil=True)
def _parabola(
    x: float, second: float, third: float, fx: float, f2: float, f3: float
) -> tuple[float, float]:
    """Numerator and denominator > 0 of the way from `x` to the top of a parabola."""
    r = (x - second) * (fx - f3)
    q = (x - third) * (fx - f2)
    p = (x - third) * q - (x - second) * r
    q = 2 * (q - r)
    return (-p if q > 0 else p), abs(q)


@numba.njit(cache=True, nogil=True)
def _error(observed: Float64Array, table: Float64Array, rd: float) -> float:
    """Mean square of the phase left, the model's interpolated by cubics."""
    place = (rd - LOWEST) / GRID_STEP
    i = min(max(int(place), 1), len(table) - 3)
    t = place - i
    before = -t * (t - 1) * (t - 2) / 6
    left = (t + 1) * (t - 1) * (t - 2) / 2
    right = -(t + 1) * t * (t - 2) / 2
    after = (t + 1) * t * (t - 1) / 6
    total = 0.0
    for q in range(len(observed)):
        rest = observed[q] + (
            before * table[i - 1, q]
            + left * table[i, q]
            + right * table[i + 1, q]
            + after * table[i + 2, q]
        )
        rest -= 2 * np.pi * np.round(rest / (2 * np.pi))
        total += rest * rest
    return total / len(observed)
