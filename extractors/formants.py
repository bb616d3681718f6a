"""Resonances of the vocal tract, as peaks of the chirp group delay of the zero-phase sound.

References
----------
B. Bozkurt, T. Dutoit and L. Couvreur, "Spectral analysis of speech signals using chirp group
delay", Progress in Nonlinear Speech Processing, LNCS 4391, 2007.
"""

import numba
import numpy as np
import scipy.fft

from extractors.framing import (
    GRID_HOP,
    SAMPLE_RATE,
    Float64Array,
    Samples,
    blocks,
    framed,
    grid_positions,
    round_half_away,
)

N_FORMANTS = 5
FRAME_LENGTH = 480  # 30 ms
FFT_LENGTH = 2048
N_DELAYS = 640  # up to 5 kHz
DOMINATED = 5  # neighbours on each side of a peak
FIRST_RADIUS = 112  # radii are in hundredths
LEAST_RADIUS, GREATEST_RADIUS = 101, 125
GREATEST_JUMP = 250.0  # Hz
REACH = 2  # frames that count as neighbours
BLOCK = 128


def formant_tracks(*, signal: Samples) -> Float64Array:
    """Follow the first five formants.

    Every frame's zero-phase version is weighted with R**-n, which evaluates its transform on a
    circle away from the unit circle, near which zeros lie, and its formants are the peaks of the
    group delay there (Bozkurt et al. 2007). R is 1.12; a greater one smooths, so R grows by 0.01
    while there are more than five peaks or shrinks while there are fewer, within 1.01 and 1.25.
    The lowest five count. Our reading of how the tracks are cleaned: a value more than 250 Hz off
    those of the same formant in the two frames before and the two after is a jump and is removed;
    what a frame misses is the mean of the nearest values among the two frames before and the two
    after it.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz.

    Returns
    -------
    ndarray of float64, shape (F, 5)
        F1..F5 in Hz, in (0, 5000), for every frame of 30 ms, 10 ms apart; frame k begins at sample
        160 k. 0 where there is none, and in all of a frame of digital silence.
    """
    frames = framed(signal=signal, length=FRAME_LENGTH, hop=GRID_HOP)
    peaks = np.zeros((len(frames), N_FORMANTS))
    for block in blocks(count=len(frames), size=BLOCK):
        peaks[block] = _formants_of_frames(frames[block])
    filled = _fill_holes(_remove_jumps(peaks))
    filled[~peaks.any(axis=1)] = 0.0
    return filled


def formants_on_grid(*, formants: Float64Array, n_samples: int) -> Float64Array:
    """Bring formants onto the output rows (columns F1..F5).

    Parameters
    ----------
    formants : ndarray of float64, shape (F, 5)
        Result of :func:`formant_tracks`.
    n_samples : int
        Length of the sound in samples, >= 0.

    Returns
    -------
    ndarray of float64, shape (J, 5)
        Those of the frame with the nearest centre, not interpolated, as a missing value is 0; 0
        where the nearest frame would not lie inside the sound.
    """
    centre = (FRAME_LENGTH + 1) / 2
    nearest = round_half_away((grid_positions(n_samples=n_samples) - centre) / GRID_HOP)
    result = np.zeros((len(nearest), N_FORMANTS))
    inside = (nearest >= 0) & (nearest < len(formants))
    result[inside] = formants[nearest[inside]]
    return result


def _formants_of_frames(frames: Samples) -> Float64Array:
    """Peaks of every frame at the radius that shows five of them, or comes nearest to it."""
    result = np.zeros((len(frames), N_FORMANTS))
    differences = np.diff(frames * np.blackman(FRAME_LENGTH), axis=1)
    sounding = np.flatnonzero(differences.any(axis=1))
    # the level has no influence, and without it the faintest sounds cannot underflow
    differences = differences[sounding]
    differences /= np.abs(differences).max(axis=1, keepdims=True)
    zero_phase = scipy.fft.irfft(
        np.abs(scipy.fft.rfft(differences, axis=1)), differences.shape[1], axis=1
    )
    found, counts = _peaks_at_radius(zero_phase, FIRST_RADIUS)
    for too_many, radii in (
        (True, range(FIRST_RADIUS + 1, GREATEST_RADIUS + 1)),
        (False, range(FIRST_RADIUS - 1, LEAST_RADIUS - 1, -1)),
    ):
        active = np.flatnonzero(counts > N_FORMANTS if too_many else counts < N_FORMANTS)
        for radius in radii:
            if len(active) == 0:
                break
            found[active], now = _peaks_at_radius(zero_phase[active], radius)
            active = active[now > N_FORMANTS if too_many else now < N_FORMANTS]
    result[sounding] = found
    return result


def _peaks_at_radius(zero_phase: Float64Array, radius: int) -> tuple[Float64Array, Float64Array]:
    """Lowest five peaks in Hz of the chirp group delay, and how many there are altogether."""
    envelope = (radius / 100) ** -np.arange(zero_phase.shape[1], dtype=np.float64)
    # beyond this the envelope is below the precision of the sum
    length = int(np.count_nonzero(envelope > 1e-17))
    spectra = scipy.fft.rfft(zero_phase[:, :length] * envelope[:length], FFT_LENGTH, axis=1)
    spectra = spectra[:, : N_DELAYS + 1]
    # the phase of a quotient, unlike the difference of two phases, does not wrap around
    delays = -np.angle(spectra[:, 1:] * spectra[:, :-1].conj())
    places, counts = np.zeros((len(delays), N_FORMANTS)), np.zeros(len(delays))
    _pick_peaks(delays, places, counts)
    return places * (SAMPLE_RATE / FFT_LENGTH), counts


@numba.njit(cache=True, nogil=True)
def _pick_peaks(delays: Float64Array, places: Float64Array, counts: Float64Array) -> None:
    """Fill the last two; a delay belongs half-way between two bins."""
    for k in range(len(delays)):
        row = delays[k]
        count = 0
        for b in range(DOMINATED, len(row) - DOMINATED):
            highest = row[b] > row[b - 1] and row[b] > row[b + 1]
            distance = 2
            while highest and distance <= DOMINATED:
                highest = row[b] > row[b - distance] and row[b] > row[b + distance]
                distance += 1
            if highest:
                if count < places.shape[1]:
                    places[k, count] = b + 0.5
                count += 1
        counts[k] = count


def _neighbours(formants: Float64Array) -> Float64Array:
    """Stack the values one frame before, two before, one after, two after; NaN for none."""
    count = len(formants)
    padded = np.pad(np.where(formants > 0, formants, np.nan), ((REACH, REACH), (0, 0)), "constant")
    padded[:REACH] = padded[REACH + count :] = np.nan
    return np.stack(
        [
            padded[REACH + offset : REACH + offset + count]
            for side in (-1, 1)
            for offset in side * np.arange(1, REACH + 1)
        ]
    )


def _remove_jumps(formants: Float64Array) -> Float64Array:
    """Set to 0 what is like none of its neighbours."""
    near = np.abs(_neighbours(formants) - formants) <= GREATEST_JUMP
    return np.where(near.any(axis=0), formants, 0.0)


def _fill_holes(formants: Float64Array) -> Float64Array:
    """Replace 0 by the mean of the nearest values on either side, or the one there is."""
    before1, before2, after1, after2 = _neighbours(formants)
    before = np.where(np.isnan(before1), before2, before1)
    after = np.where(np.isnan(after1), after2, after1)
    before, after = (
        np.where(np.isnan(before), after, before),
        np.where(np.isnan(after), before, after),
    )
    return np.where(formants > 0, formants, np.nan_to_num((before + after) / 2))
