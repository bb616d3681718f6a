"""Mel cepstra of a spectral envelope that follows the harmonics' tops.

References
----------
A. Roebel and X. Rodet, "Efficient spectral envelope estimation and its application to pitch
shifting and envelope preservation", DAFx 2005.
G. Degottex, J. Kane, T. Drugman, T. Raitio and S. Scherer, "COVAREP - a collaborative voice
analysis repository for speech technologies", ICASSP 2014.
"""

import functools

import numba
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
from extractors.harmonics import FFT_LENGTH, analysis_f0, log_amplitudes, synchronous_spectra
from extractors.pitch import PitchTrack

MCEP_ORDER = 24
TOLERANCE = np.log(10) / 10  # 2 dB
MOST_ITERATIONS = 200
N_BINS = FFT_LENGTH // 2 + 1
N_HALF = FFT_LENGTH // 4 + 1
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
        result[rows] = mel_cepstra_of_spectra(
            log_spectra=log_amplitudes(spectra=spectra), f0=f0[rows]
        )
        result[rows[~spectra.any(axis=1)]] = np.nan
    return result


def mel_cepstra_of_spectra(*, log_spectra: Float64Array, f0: Float64Array) -> Float64Array:
    """Mel cepstra of the true envelopes of pitch-synchronous spectra (Degottex et al. 2014).

    Parameters
    ----------
    log_spectra : ndarray of float64, shape (M, 2049)
        Natural logarithms of amplitudes, bins 0..2048 of 4096.
    f0 : ndarray of float64, shape (M,)
        Pitch in Hz, > 0; it costs the less the more alike they are.

    Returns
    -------
    ndarray of float64, shape (M, 25)
        Coefficients 0..24 of the natural logarithm of the amplitude.
    """
    log_envelopes = true_envelope(
        log_spectra=log_spectra, orders=round_half_away(0.5 * SAMPLE_RATE / f0)
    )
    return frequency_warped_cepstrum(envelopes=np.exp(log_envelopes), order=MCEP_ORDER)


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
    return np.log(low + weight * (high - low)) @ _cosines(order, envelopes.shape[1])


def _limited(orders: IntArray) -> IntArray:
    """Highest quefrency of an envelope of some order."""
    return np.clip(round_half_away(1.2 * orders), 1, N_BINS - 2)


def _iterated(target: Float64Array, quefrencies: IntArray) -> Float64Array:
    """Raise a smoothed spectrum until it covers its target (Roebel & Rodet 2005, eq. 3).

    Spectra are held in halves, one on the other's mirror image, and their sums and differences
    transformed on their own: even quefrencies are symmetric about the middle, odd ones not.
    """
    count = int(quefrencies.max(initial=1)) // 2 + 1
    synthesis, analysis = _half_cosines(-(-count // 32) * 32)
    synthesis, analysis = synthesis[:, :count], analysis[:, :, :count]
    n = 2 * np.arange(count) + np.array([0, 1])[:, None, None]
    window = np.where(
        n <= quefrencies[:, None], 0.54 + 0.46 * np.cos(np.pi * n / quefrencies[:, None]), 0.0
    )
    halves = np.stack([target[:, :N_HALF], target[:, : -N_HALF - 1 : -1]])
    raised, cepstra = halves.copy(), np.zeros(window.shape)
    parts = np.stack([halves[0] + halves[1], halves[0] - halves[1]])
    active = np.arange(len(target))
    for _ in range(MOST_ITERATIONS):
        cepstra[:, active] += _step(parts, cepstra[:, active], window[:, active], analysis)
        parts = cepstra[:, active] @ synthesis
        below = _raise(parts, halves, raised, active) > TOLERANCE
        if not below.any():
            break
        active, parts = active[below], parts[:, below]
    even, odd = cepstra @ synthesis
    return np.hstack([even + odd, (even - odd)[:, -2::-1]])


def _step(
    parts: Float64Array, cepstra: Float64Array, window: Float64Array, analysis: Float64Array
) -> Float64Array:
    """Change of the cepstra; longer steps the more energy lies beyond the window."""
    wanted = parts @ analysis
    wanted *= window > 0
    inner = np.einsum("pij,pij->i", wanted, wanted)
    # the energy of all other quefrencies, by Parseval's theorem
    power = np.einsum("pij,pij->i", parts, parts)
    ends = parts[:, :, [0, -1]]
    power -= np.einsum("pij,pij->i", ends, ends) / 2
    nyquist = parts[0] @ _alternating()
    mean = wanted[0, :, 0] ** 2
    outer = power / (N_BINS - 1) - 2 * (mean + nyquist**2) - (inner - mean)
    speed = np.ones(len(inner))
    np.divide(np.maximum(outer, 0), inner, out=speed, where=inner > 0)
    wanted -= cepstra
    wanted *= window
    wanted *= 1 + np.sqrt(speed)[:, None]
    return wanted


# There are no NaNs, and without this the greatest gap is sought one bin at a time.
@numba.njit(cache=True, nogil=True, fastmath={"nnan", "nsz"})
def _raise(
    parts: Float64Array, target: Float64Array, raised: Float64Array, rows: IntArray
) -> Float64Array:
    """Raise some spectra to a smooth one, given in parts; return by how much that falls short.

    The smooth one's parts become those of the raised spectrum.
    """
    gaps = np.empty(len(rows))
    for i in range(len(rows)):
        even, odd = parts[0, i], parts[1, i]
        target1, target2 = target[0, rows[i]], target[1, rows[i]]
        raised1, raised2 = raised[0, rows[i]], raised[1, rows[i]]
        gap = -np.inf
        for b in range(len(even)):
            smooth1, smooth2 = even[b] + odd[b], even[b] - odd[b]
            gap = max(gap, max(target1[b] - smooth1, target2[b] - smooth2))
            raised1[b] = max(raised1[b], smooth1)
            raised2[b] = max(raised2[b], smooth2)
            even[b], odd[b] = raised1[b] + raised2[b], raised1[b] - raised2[b]
        gaps[i] = gap
    return gaps


@functools.lru_cache(maxsize=8)
def _half_cosines(count: int) -> tuple[Float64Array, Float64Array]:
    """Cosine transforms between quefrencies, even and odd, and half a spectrum, as matrices.

    So few coefficients cost less so than by a fast transform.
    """
    n = 2 * np.arange(count)[:, None] + np.array([0, 1])[:, None, None]
    synthesis = np.cos(np.pi / (N_BINS - 1) * n * np.arange(N_HALF))
    # both halves contain the middle
    weights = np.full(N_HALF, 2.0 / (N_BINS - 1))
    weights[[0, -1]] /= 2
    analysis = np.ascontiguousarray((synthesis * weights).transpose(0, 2, 1))
    analysis[0, :, 0] /= 2
    return synthesis, analysis


@functools.cache
def _alternating() -> Float64Array:
    """Pick the one quefrency that a spectrum of 4096 points has beyond all others."""
    weights = np.full(N_HALF, 1.0 / (N_BINS - 1))
    weights[[0, -1]] /= 2
    weights[1::2] *= -1
    return weights


@functools.cache
def _cosines(order: int, n_bins: int) -> Float64Array:
    """Turn a symmetric spectrum into its one-sided cepstrum."""
    weights = np.full(n_bins, 2.0 / (n_bins - 1))
    weights[[0, -1]] /= 2
    quefrency = np.arange(order + 1)
    analysis = np.cos(np.pi / (n_bins - 1) * np.outer(np.arange(n_bins), quefrency))
    analysis *= weights[:, None]
    analysis[:, 0] /= 2
    return np.asarray(analysis)


@functools.cache
def _mel_axis(n_bins: int) -> tuple[IntArray, Float64Array]:
    """Where evenly spaced points of the mel axis lie between the bins."""
    half = SAMPLE_RATE / 2
    frequency = np.linspace(0.0, half, n_bins)
    warped = half * np.log1p(frequency / 700) / np.log1p(half / 700)
    place = np.interp(frequency, warped, np.arange(n_bins))
    left = np.minimum(place.astype(np.int64), n_bins - 2)
    return left, place - left
