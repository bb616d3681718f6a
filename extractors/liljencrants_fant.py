"""The Liljencrants-Fant model of the glottal flow's derivative, with one shape parameter.

Time is counted in periods and frequency in harmonics, so that a pulse depends on its shape alone;
its negative peak, the closure, is -1.

References
----------
G. Fant, J. Liljencrants and Q. Lin, "A four-parameter model of glottal flow", STL-QPSR 4/1985.
G. Fant, "The LF-model revisited. Transformations and frequency domain analysis", STL-QPSR
2-3/1995.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from extractors.framing import Float64Array

ComplexArray = npt.NDArray[np.complex128]

RD_LOWEST, RD_HIGHEST = 0.3, 2.7  # where Fant's regressions hold


@dataclass(frozen=True, kw_only=True, eq=False)
class LFParameters:
    """Parameters of pulses of period 1 (Fant et al. 1985), each of shape (M,).

    Parameters
    ----------
    te : ndarray of float64
        Instant of the closure.
    ta : ndarray of float64
        Effective duration of the return phase.
    wave : ndarray of float64
        Angular frequency of the open phase.
    growth : ndarray of float64
        Exponent of the open phase, alpha.
    decay : ndarray of float64
        Exponent of the return phase, epsilon.
    """

    te: Float64Array
    ta: Float64Array
    wave: Float64Array
    growth: Float64Array
    decay: Float64Array


def lf_parameters(*, rd: npt.ArrayLike) -> LFParameters:
    """Parameters of the pulses of given shapes (Fant 1995).

    Parameters
    ----------
    rd : array_like of float, shape (M,)
        Shape, 0.3 (pressed) to 2.7 (breathy).

    Returns
    -------
    LFParameters
        With no net flow over a period.

    Raises
    ------
    ValueError
        If a shape is out of range.
    """
    rd = np.atleast_1d(np.asarray(rd, np.float64))
    if not np.all((rd >= RD_LOWEST) & (rd <= RD_HIGHEST)):
        raise ValueError(f"rd must lie in [{RD_LOWEST}, {RD_HIGHEST}], not {rd}")
    ta = (-1 + 4.8 * rd) / 100
    rk = (22.4 + 11.8 * rd) / 100
    rg = rk / (4 * (0.11 * rd / (0.5 + 1.2 * rk) - ta))
    te = (1 + rk) / (2 * rg)
    wave = 2 * np.pi * rg
    decay = _decay(te, ta)
    return LFParameters(te=te, ta=ta, wave=wave, growth=_growth(te, ta, wave, decay), decay=decay)


def lf_spectrum(*, parameters: LFParameters, harmonics: npt.ArrayLike) -> ComplexArray:
    """Fourier transform of one pulse at multiples of the pitch.

    The open phase is exp(alpha t) sin(w t), the return phase an exponential that reaches 0 at the
    period's end (Fant et al. 1985), each transformed in closed form.

    Parameters
    ----------
    parameters : LFParameters
        M pulses.
    harmonics : array_like of float, shape (Q,)
        Frequencies in multiples of the pitch, > 0.

    Returns
    -------
    ndarray of complex128, shape (M, Q)
        Integral over one period of the pulse times ``exp(-2j pi q t)``.
    """
    te, ta, wave, growth, decay = (
        column[:, None]
        for column in (
            parameters.te,
            parameters.ta,
            parameters.wave,
            parameters.growth,
            parameters.decay,
        )
    )
    jw = 2j * np.pi * np.asarray(harmonics, np.float64)
    delay = np.exp(-jw * te)
    s = growth - jw
    sine, cosine = np.sin(wave * te), np.cos(wave * te)
    start = wave * np.exp(-growth * te)
    opening = -(delay * (s * sine - wave * cosine) + start) / (sine * (s**2 + wave**2))
    rest = 1 - te
    end = np.exp(-decay * rest)
    falling = (1 - end * np.exp(-jw * rest)) / (decay + jw)
    constant = end * (1 - np.exp(-jw * rest)) / jw
    return np.asarray(opening - delay * (falling - constant) / (decay * ta))


def lf_pulse(*, rd: float, f0: float, sample_rate: float, n_samples: int) -> Float64Array:
    """Sample the flow's derivative of a voice of constant pitch and shape.

    The samples are those of the formula; the closure's edge is not band-limited, so sample at
    many times the rate that is wanted, and decimate.

    Parameters
    ----------
    rd : float
        Shape, 0.3 to 2.7.
    f0 : float
        Pitch in Hz, > 0.
    sample_rate : float
        Samples a second, > 0.
    n_samples : int
        Number of samples, >= 0. The first one begins a period.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
        The closure is -1.
    """
    lf = lf_parameters(rd=rd)
    t = np.mod(np.arange(n_samples) * (f0 / sample_rate), 1.0)
    opening = np.minimum(t, lf.te) - lf.te
    open_phase = -np.exp(lf.growth * opening) * np.sin(lf.wave * (lf.te + opening))
    closing = np.maximum(t, lf.te) - lf.te
    return_phase = np.exp(-lf.decay * closing) - np.exp(-lf.decay * (1 - lf.te))
    open_phase /= np.sin(lf.wave * lf.te)
    return_phase /= -lf.decay * lf.ta
    return np.asarray(np.where(t < lf.te, open_phase, return_phase))


def _decay(te: Float64Array, ta: Float64Array) -> Float64Array:
    """Positive root of 1 - exp(-x (1 - te)) = x ta, by Newton's method.

    The difference is concave and the start lies to the right of the root, so every step does too.
    """
    x = 1 / ta
    for _ in range(50):
        rest = np.exp(-x * (1 - te))
        x = x - (1 - rest - x * ta) / ((1 - te) * rest - ta)
    return x


def _growth(
    te: Float64Array, ta: Float64Array, wave: Float64Array, decay: Float64Array
) -> Float64Array:
    """Exponent for which the flow returns to zero (Fant et al. 1985), by bisection."""
    end = np.exp(-decay * (1 - te))
    returned = (1 - end) / (decay**2 * ta) - (1 - te) * end / (decay * ta)
    sine, cosine = np.sin(wave * te), np.cos(wave * te)
    low, high = np.zeros_like(te), np.full_like(te, 1e3)
    for _ in range(64):
        middle = (low + high) / 2
        flow = (middle**2 + wave**2) * sine * returned
        flow += wave * np.exp(-middle * te) + middle * sine - wave * cosine
        low, high = np.where(flow > 0, middle, low), np.where(flow > 0, high, middle)
    return (low + high) / 2
