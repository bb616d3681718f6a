"""Mel cepstra of a spectral envelope that follows the harmonics' tops.

References
----------
A. Roebel and X. Rodet, "Efficient spectral envelope estimation and its application to pitch
shifting and envelope preservation", DAFx 2005.
G. Degottex, J. Kane, T. Drugman, T. Raitio and S. Scherer, "COVAREP - a collaborative voice
analysis repository for speech technologies", ICASSP 2014.
"""

import functools

import numpy as np

from extractors.framing import (
    SAMPLE_RATE,
    Float64Array,
    IntArray,
    Samples,
    blocks,
    interpolate_to_grid,
    round_half_away,
)
from extractors.harmonics import FFT_LENGTH, analysis_f0, synchronous_spectra
from extractors.pitch import PitchTrack
from extractors.sequence import BoolArray

MCEP_ORDER = 24
FLOOR = 1e-10  # of an amplitude, before its logarithm
TOLERANCE = np.log(10) / 10  # 2 dB
MOST_ITERATIONS = 200
N_BINS = FFT_LENGTH // 2 + 1
BLOCK = 64  # frames at a time; their spectra stay in the cache


def mel_cepstra(*, signal: Samples, track: PitchTrack) -> Float64Array:
    """Mel cepstra of the true envelope of every pitch frame (Degottex et al. 2014).

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz.
    track : PitchTrack
        Pitch of the same sound.

    Returns
    -------
    ndarray of float64, shape (M, 25)
        Coefficients 0..24 of the natural logarithm of the amplitude; NaN where the whole window
        is digitally silent.
    """
    centres = track.positions.astype(np.int64)
    f0 = analysis_f0(f0=track.f0)
    result = np.zeros((len(f0), MCEP_ORDER + 1))
    # frames of like pitch together, so that those of a block need envelopes of one order
    by_pitch = np.argsort(f0, kind="stable")
    for block in blocks(count=len(f0), size=BLOCK):
        rows = by_pitch[block]
        spectra = synchronous_spectra(signal=signal, centres=centres[rows], f0=f0[rows])
        amplitudes = np.abs(spectra)
        log_envelopes = true_envelope(
            log_spectra=np.log(np.maximum(amplitudes, FLOOR)),
            orders=round_half_away(0.5 * SAMPLE_RATE / f0[rows]),
        )
        result[rows] = frequency_warped_cepstrum(envelopes=np.exp(log_envelopes), order=MCEP_ORDER)
        result[rows[~amplitudes.any(axis=1)]] = np.nan
    return result


def mel_cepstra_on_grid(*, cepstra: Float64Array, n_samples: int) -> Float64Array:
    """Bring mel cepstra onto the output rows (columns MCEP_0..MCEP_24).

    COVAREP spreads the frames evenly from the first to the last sample instead of leaving them at
    their centres, which moves the ends by 50 ms; published features carry it, so it is kept.

    Parameters
    ----------
    cepstra : ndarray of float64, shape (M, D)
        One row per pitch frame.
    n_samples : int
        Length of the sound in samples.

    Returns
    -------
    ndarray of float64, shape (J, D)
        NaN everywhere if there is no frame.
    """
    count = len(cepstra)
    if count == 1:
        cepstra, count = np.repeat(cepstra, 2, axis=0), 2
    spread = np.arange(count) / max(count - 1, 1)
    positions = round_half_away(1 + (n_samples - 1) * spread).astype(np.float64)
    return interpolate_to_grid(values=cepstra, positions=positions, n_samples=n_samples)


def true_envelope(*, log_spectra: Float64Array, orders: IntArray) -> Float64Array:
    """Envelope of limited quefrency that lies nowhere more than 2 dB below the spectrum.

    Roebel & Rodet 2005, sections 3 and 4, with the ends of the spectrum replaced first by an
    envelope of half the order.

    Parameters
    ----------
    log_spectra : ndarray of float64, shape (M, 2049)
        Natural logarithms of amplitudes, bins 0..2048 of 4096.
    orders : ndarray of int64, shape (M,)
        Half the number of samples in a period, > 0.

    Returns
    -------
    ndarray of float64, shape (M, 2049)
        Natural logarithm of the envelope.
    """
    quefrencies = _limited(orders)
    rough = _iterated(log_spectra, _limited(round_half_away(quefrencies / 2)))
    ends = round_half_away(0.25 * FFT_LENGTH / quefrencies)[:, None]
    bins = np.arange(N_BINS)
    at_end = (bins < ends) | (bins > N_BINS - ends)
    return _iterated(np.where(at_end, rough, log_spectra), quefrencies)


def frequency_warped_cepstrum(*, envelopes: Float64Array, order: int) -> Float64Array:
    """Cepstrum of an amplitude envelope on the mel axis.

    Parameters
    ----------
    envelopes : ndarray of float64, shape (M, B + 1)
        Positive amplitudes on evenly spaced bins from 0 to half the sampling rate.
    order : int
        Highest coefficient, < B.

    Returns
    -------
    ndarray of float64, shape (M, order + 1)
        Mean of the natural logarithm, then twice the real cepstrum.
    """
    left, weight = _mel_axis(envelopes.shape[1])
    low, high = np.take(envelopes, left, axis=1), np.take(envelopes, left + 1, axis=1)
    return np.log(low + weight * (high - low)) @ _analysis(order + 1, envelopes.shape[1])


def _limited(orders: IntArray) -> IntArray:
    """Highest quefrency of an envelope of some order."""
    return np.clip(round_half_away(1.2 * orders), 1, N_BINS - 2)


def _iterated(target: Float64Array, quefrencies: IntArray) -> Float64Array:
    """Raise a smoothed spectrum until it covers its target (Roebel & Rodet 2005, eq. 3)."""
    n = np.arange(int(quefrencies.max(initial=1)) + 1)
    used = n <= quefrencies[:, None]
    window = used * (0.54 + 0.46 * np.cos(np.pi * n / quefrencies[:, None]))
    result = np.empty_like(target)
    active = np.arange(len(target))
    raised, cepstra = target, np.zeros(used.shape)
    for _ in range(MOST_ITERATIONS):
        cepstra = cepstra + _step(raised, cepstra, used[active], window[active])
        smooth = cepstra @ _cosines(len(n), N_BINS)
        below = (target[active] - smooth).max(axis=1) > TOLERANCE
        result[active[~below]] = smooth[~below]
        active, cepstra = active[below], cepstra[below]
        if len(active) == 0:
            return result
        raised = np.maximum(raised[below], smooth[below])
    result[active] = cepstra @ _cosines(len(n), N_BINS)
    return result


def _step(
    raised: Float64Array, cepstra: Float64Array, used: BoolArray, window: Float64Array
) -> Float64Array:
    """Change of the cepstra; longer steps the more energy lies beyond the window."""
    wanted = (raised @ _analysis(used.shape[1], N_BINS)) * used
    inner = np.einsum("ij,ij->i", wanted, wanted)
    # the energy of all other quefrencies, by Parseval's theorem
    ends = (raised[:, 0] ** 2 + raised[:, -1] ** 2) / 2
    power = (np.einsum("ij,ij->i", raised, raised) - ends) / (N_BINS - 1)
    nyquist = raised @ _alternating()
    outer = 2 * (power - wanted[:, 0] ** 2 - nyquist**2) - (inner - wanted[:, 0] ** 2)
    speed = np.ones(len(raised))
    np.divide(np.maximum(outer, 0), inner, out=speed, where=inner > 0)
    return (1 + np.sqrt(speed))[:, None] * window * (wanted - cepstra)


def _cosines(count: int, n_bins: int) -> Float64Array:
    """Turn a one-sided cepstrum of `count` coefficients into a spectrum."""
    return _tables(-(-count // 64) * 64, n_bins)[0][:count]


def _analysis(count: int, n_bins: int) -> Float64Array:
    """Turn a symmetric spectrum into its one-sided cepstrum of `count` coefficients."""
    return _tables(-(-count // 64) * 64, n_bins)[1][:, :count]


@functools.lru_cache(maxsize=8)
def _tables(count: int, n_bins: int) -> tuple[Float64Array, Float64Array]:
    """Cosine transforms as matrices: so few coefficients cost less so than by a fast transform."""
    quefrency = np.arange(count)[:, None]
    synthesis = np.cos(np.pi / (n_bins - 1) * quefrency * np.arange(n_bins))
    weights = np.full(n_bins, 2.0 / (n_bins - 1))
    weights[[0, -1]] /= 2
    analysis = np.ascontiguousarray((synthesis * weights).T)
    analysis[:, 0] /= 2
    return synthesis, analysis


@functools.cache
def _alternating() -> Float64Array:
    """Pick the one quefrency that a spectrum of 4096 points has beyond all others."""
    weights = np.full(N_BINS, 1.0 / (N_BINS - 1))
    weights[[0, -1]] /= 2
    weights[1::2] *= -1
    return weights


@functools.cache
def _mel_axis(n_bins: int) -> tuple[IntArray, Float64Array]:
    """Where evenly spaced points of the mel axis lie between the bins."""
    half = SAMPLE_RATE / 2
    frequency = np.linspace(0.0, half, n_bins)
    warped = half * np.log1p(frequency / 700) / np.log1p(half / 700)
    place = np.interp(frequency, warped, np.arange(n_bins))
    left = np.minimum(place.astype(np.int64), n_bins - 2)
    return left, place - left
