"""Pitch and voicing by the summation of residual harmonics (SRH).

References
----------
T. Drugman and A. Alwan, "Joint robust voicing detection and pitch estimation based on residual
harmonics", Interspeech 2011.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from extractors.framing import (
    GRID_HOP,
    SAMPLE_RATE,
    Float64Array,
    Samples,
    blocks,
    framed,
    interpolate_to_grid,
    round_half_away,
)
from extractors.sequence import BoolArray, FloatArray

FRAME_LENGTH = 1598
FIRST_CENTRE = 800
RESIDUAL_ORDER = 12
# Under these bounds three periods fit into a frame, and five harmonics below half the rate.
F0_LOWEST, F0_HIGHEST = 31, 1500
BLOCK = 128


@dataclass(frozen=True, kw_only=True)
class PitchTrack:
    """Pitch of every frame of 100 ms, 10 ms apart.

    Parameters
    ----------
    f0 : ndarray of float64, shape (M,)
        Best candidate in Hz, voiced or not; 1 where there is none (silence).
    voiced : ndarray of bool, shape (M,)
        Voicing decision.
    score : ndarray of float64, shape (M,)
        Summation of residual harmonics at `f0`, >= 0.
    positions : ndarray of float64, shape (M,)
        Positions of the frames' centres, 800 + 160 k.
    """

    f0: Float64Array
    voiced: BoolArray
    score: Float64Array
    positions: Float64Array


def track_pitch(*, residual: Samples, f0_min: int = 50, f0_max: int = 500) -> PitchTrack:
    """Find pitch and voicing (Drugman & Alwan 2011, section 2).

    The search range is narrowed once to [median / 2, 2 median] of the frames that look voiced.

    Parameters
    ----------
    residual : ndarray of float, shape (N,)
        Residual of linear prediction of order 12 of sound of 16 kHz.
    f0_min, f0_max : int, optional
        Search range in Hz, 31 <= f0_min < f0_max <= 1500.

    Returns
    -------
    PitchTrack
        ``M = 0`` frames for a sound under 100 ms.
    """
    frames = framed(signal=residual, length=FRAME_LENGTH, hop=GRID_HOP)
    f0, score = _best_candidates(frames=frames, f0_min=f0_min, f0_max=f0_max)
    likely = f0[score > 0.1]
    if len(likely):
        median = float(np.median(likely))
        f0_min = max(f0_min, int(round_half_away(median / 2)))
        f0_max = min(f0_max, int(round_half_away(2 * median)))
        # elsewhere the best candidate of all is also the best of the narrower range
        again = np.flatnonzero((score > 0) & ((f0 < f0_min) | (f0 > f0_max)))
        for part in blocks(count=len(again), size=BLOCK):
            rows = again[part]
            f0[rows], score[rows] = _best_candidates(
                frames=frames[rows], f0_min=f0_min, f0_max=f0_max
            )
    spread = float(np.std(score, ddof=1)) if len(score) > 1 else 0.0
    return PitchTrack(
        f0=f0,
        voiced=score > (0.085 if spread > 0.05 else 0.07),
        score=score,
        positions=FIRST_CENTRE + GRID_HOP * np.arange(len(f0), dtype=np.float64),
    )


def pitch_on_grid(*, track: PitchTrack, n_samples: int) -> tuple[Float64Array, Float64Array]:
    """Bring pitch and voicing onto the output rows (columns F0 and VUV).

    Parameters
    ----------
    track : PitchTrack
        Result of :func:`track_pitch`.
    n_samples : int
        Length of the sound in samples.

    Returns
    -------
    f0, vuv : ndarray of float64, shape (J,)
        Hz, and 0 or 1; NaN where no analysis frame lies on both sides. Every row is the mean of
        two neighbouring frames, and voiced if either is.
    """
    f0 = interpolate_to_grid(values=track.f0, positions=track.positions, n_samples=n_samples)
    share = interpolate_to_grid(
        values=track.voiced.astype(np.float64), positions=track.positions, n_samples=n_samples
    )
    return f0, np.where(np.isnan(share), np.nan, share >= 0.5)


def harmonic_scores(*, frames: npt.NDArray[np.floating], f0_min: int, f0_max: int) -> FloatArray:
    """Summation of residual harmonics for every integer candidate (Drugman & Alwan 2011, eq. 1).

    Parameters
    ----------
    frames : ndarray of float, shape (M, 1598)
        Frames of the residual.
    f0_min, f0_max : int
        Candidates in Hz, both included.

    Returns
    -------
    ndarray of float32, shape (M, f0_max - f0_min + 1)
        Harmonics' sum minus the sum half-way between them, in spectra of unit norm; 0 in silence.
    """
    weighted = (frames * np.blackman(FRAME_LENGTH)).astype(np.float32)
    weighted -= weighted.mean(axis=1, keepdims=True)
    # bins of 1 Hz; the lower half is enough to hold five harmonics of the highest candidate
    spectrum = np.abs(scipy.fft.rfft(weighted, SAMPLE_RATE, axis=1)[:, :-1])
    norm = np.linalg.norm(spectrum, axis=1, keepdims=True)
    candidates = np.arange(f0_min, f0_max + 1)
    scores = np.zeros((len(frames), len(candidates)), np.float32)
    for q in range(1, 6):
        # COVAREP addresses bins one too low
        scores += spectrum[:, q * f0_min - 1 : q * f0_max : q]
    for q in range(1, 5):
        scores -= spectrum[:, ((2 * q + 1) * candidates + 1) // 2 - 1]
    np.divide(scores, norm, out=scores, where=norm > 0)
    return scores


def _best_candidates(
    *, frames: Samples, f0_min: int, f0_max: int
) -> tuple[Float64Array, Float64Array]:
    f0, score = np.ones(len(frames)), np.zeros(len(frames))
    for block in blocks(count=len(frames), size=BLOCK):
        scores = harmonic_scores(frames=frames[block], f0_min=f0_min, f0_max=f0_max)
        best = scores.argmax(axis=1)
        height = scores[np.arange(len(best)), best]
        found = height > 0
        f0[block][found] = f0_min + best[found]
        score[block][found] = height[found]
    return f0, score
