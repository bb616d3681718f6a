"""Parameters of the glottal flow in every cycle: NAQ, QOQ, H1-H2, HRF and PSP.

References
----------
P. Alku, T. Backstrom and E. Vilkman, "Normalized amplitude quotient for parametrization of the
glottal flow", JASA 112(2), 2002.
T. Hacki, "Klassifizierung von Glottisdysfunktionen mit Hilfe der Elektroglottographie",
Folia Phoniatrica 41, 1989.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np

from extractors.closure_instants import GlottalCycles, glottal_cycles
from extractors.framing import Float64Array, IntArray, Samples
from extractors.glottal_flow import glottal_flow
from extractors.glottal_spectrum import (
    LONGEST,
    harmonic_levels,
    harmonic_richness_factor,
    measurable,
    parabolic_spectral_parameter,
)
from extractors.sequence import BoolArray

PEAK_MARGIN = 8  # samples after closure in which the derivative's peak may lie
HIGHEST_HARMONIC = 5000.0  # Hz
CHUNK = 1 << 19  # samples of flow at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class GlottalParameters:
    """Parameters of every cycle; 0 where a cycle cannot be measured, as in COVAREP.

    Parameters
    ----------
    naq : ndarray of float64, shape (G,)
        Normalised amplitude quotient.
    qoq : ndarray of float64, shape (G,)
        Quasi-open quotient, >= 0.
    h1h2 : ndarray of float64, shape (G,)
        Level of the first harmonic above the second in dB.
    hrf : ndarray of float64, shape (G,)
        Harmonic richness factor; all 0 unless it was asked for.
    psp : ndarray of float64, shape (G,)
        Parabolic spectral parameter.
    """

    naq: Float64Array
    qoq: Float64Array
    h1h2: Float64Array
    hrf: Float64Array
    psp: Float64Array


def glottal_parameters(
    *, signal: Samples, instants: IntArray, richness: bool = False
) -> GlottalParameters:
    """Measure the glottal flow at every instant of closure.

    Flow is estimated and measured half a minute at a time, so that memory beyond the result does
    not grow with the sound; the values are those of the whole.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz with positive polarity.
    instants : ndarray of int64, shape (G,)
        Increasing sample numbers of glottal closure, 0 <= instants < N.
    richness : bool, optional
        Whether the harmonic richness factor is computed, at about the cost of all others.

    Returns
    -------
    GlottalParameters
        All 0 if there are fewer than two instants.
    """
    naq, qoq, h1h2, hrf, psp = np.zeros((5, len(instants)))
    for rows, start, stop, cycles in _parts(instants=instants, n_samples=len(signal)):
        flow, derivative = glottal_flow(signal=signal, instants=instants, start=start, stop=stop)
        naq[rows] = normalised_amplitude_quotient(flow=flow, derivative=derivative, cycles=cycles)
        qoq[rows] = quasi_open_quotient(flow=flow, cycles=cycles)
        psp[rows] = parabolic_spectral_parameter(flow=flow, cycles=cycles)
        highest = HIGHEST_HARMONIC if richness else 0.0
        levels = harmonic_levels(derivative=derivative, cycles=cycles, highest=highest)
        h1h2[rows] = np.nan_to_num(levels[:, 0] - levels[:, 1])
        if richness:
            hrf[rows] = harmonic_richness_factor(levels=levels)
    return GlottalParameters(naq=naq, qoq=qoq, h1h2=h1h2, hrf=hrf, psp=psp)


def normalised_amplitude_quotient(
    *, flow: Float64Array, derivative: Float64Array, cycles: GlottalCycles
) -> Float64Array:
    """Height of the pulse by the derivative's peak and the period (Alku et al. 2002).

    Parameters
    ----------
    flow, derivative : ndarray of float64, shape (N,)
        Glottal flow and its derivative.
    cycles : GlottalCycles
        Cycles within them.

    Returns
    -------
    ndarray of float64, shape (G,)
        The pulse is measured from the line that joins the ends of the cycle, the peak until
        0.5 ms after them. 0 without measurement.
    """
    return np.asarray(
        _amplitude_quotients(
            flow, derivative, cycles.starts, cycles.ends, cycles.periods, measurable(cycles=cycles)
        )
    )


def quasi_open_quotient(*, flow: Float64Array, cycles: GlottalCycles) -> Float64Array:
    """Share of the period in which the pulse exceeds half its height (Hacki 1989).

    Parameters
    ----------
    flow : ndarray of float64, shape (N,)
        Glottal flow.
    cycles : GlottalCycles
        Cycles within it.

    Returns
    -------
    ndarray of float64, shape (G,)
        0 without measurement; above 1 only in a recording's first cycle.
    """
    return np.asarray(
        _open_quotients(flow, cycles.starts, cycles.ends, cycles.periods, measurable(cycles=cycles))
    )


def _parts(
    *, instants: IntArray, n_samples: int
) -> Iterator[tuple[slice, int, int, GlottalCycles]]:
    """Rows of some cycles, the samples they are measured on, and the cycles within these."""
    cycles = glottal_cycles(instants=instants)
    margin = 2 * LONGEST  # of three periods around an instant, half may lie outside its cycle
    first = 0
    while first < len(cycles.ends):
        last = int(np.searchsorted(instants, instants[first] + CHUNK))
        start = int(cycles.starts[0] if first == 0 else max(instants[first] - margin, 0))
        yield (
            slice(first, last),
            start,
            min(n_samples, int(instants[last - 1]) + margin),
            GlottalCycles(
                starts=cycles.starts[first:last] - start,
                ends=cycles.ends[first:last] - start,
                periods=cycles.periods[first:last],
            ),
        )
        first = last


@numba.njit(cache=True, nogil=True)
def _pulse(flow: Float64Array) -> Float64Array:
    """Flow above the line that joins its ends."""
    return flow - np.linspace(flow[0], flow[-1], len(flow))


@numba.njit(cache=True, nogil=True)
def _amplitude_quotients(
    flow: Float64Array,
    derivative: Float64Array,
    starts: IntArray,
    ends: IntArray,
    periods: IntArray,
    measured: BoolArray,
) -> Float64Array:
    quotients = np.zeros(len(ends))
    for k in np.flatnonzero(measured):
        last = ends[k] + PEAK_MARGIN if ends[k] + PEAK_MARGIN < len(flow) else ends[k]
        peak = np.abs(derivative[starts[k] : last + 1]).max()
        if peak > 0:
            quotients[k] = _pulse(flow[starts[k] : ends[k] + 1]).max() / (peak * periods[k])
    return quotients


@numba.njit(cache=True, nogil=True)
def _open_quotients(
    flow: Float64Array, starts: IntArray, ends: IntArray, periods: IntArray, measured: BoolArray
) -> Float64Array:
    quotients = np.zeros(len(ends))
    for k in np.flatnonzero(measured):
        pulse = _pulse(flow[starts[k] : ends[k] + 1])
        left = right = np.argmax(pulse)
        half = 0.5 * pulse[left]
        # COVAREP never looks at the first two samples nor at the last two
        while left > 2 and pulse[left] > half:
            left -= 1
        while right < len(pulse) - 3 and pulse[right] > half:
            right += 1
        quotients[k] = (right - left) / periods[k]
    return quotients
