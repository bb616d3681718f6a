"""What the face and head do in a video: smooth tracks that follow the speech and the sentiment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from script import Line
from speech import ENVELOPE_RATE

FloatArray = npt.NDArray[np.float64]
# Tracks are planned at this rate, then read at the times of the frames.
PLAN_RATE = 100
BLINK_SHAPE = ([0.0, 0.1, 0.2, 0.4], [0.0, 1.0, 1.0, 0.0])


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """An utterance in its place in the video.

    Parameters
    ----------
    line : Line
        Words and sentiment.
    start, end : float
        Seconds.
    opening : ndarray
        Mouth opening at ``ENVELOPE_RATE`` from ``start`` on.
    """

    line: Line
    start: float
    end: float
    opening: FloatArray


def perform(
    *, spoken: Sequence[Spoken], duration: float, times: FloatArray, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Plan the tracks of a video.

    Parameters
    ----------
    spoken : sequence of Spoken
        The utterances.
    duration : float
        Of the video in seconds.
    times : ndarray, shape (frames,)
        Times of the frames in seconds.
    rng : numpy.random.Generator
        For blinks and idle motion.

    Returns
    -------
    dict of str to ndarray, shape (frames,)
        ``mouth``, ``blink`` (0 to 1), ``smile``, ``brow`` (-1 to 1), ``yaw``, ``pitch`` and
        ``roll`` (degrees), as in ``portrait.Pose``.
    """
    plan = np.arange(0, duration + 0.5, 1 / PLAN_RATE)
    mood = _mood(plan, spoken)
    tracks = {
        "mouth": _mouth(plan, spoken),
        "blink": _blinks(plan, rng),
        "smile": np.clip(mood + 0.05 * _drift(plan, rng), -1, 1),
        "brow": np.clip(_brow(plan, spoken, mood, rng), -1, 1),
        "yaw": 18 * _drift(plan, rng) + _shakes(plan, spoken, rng),
        "pitch": 5 * _drift(plan, rng) + _nods(plan, spoken, rng),
        "roll": 3 * _drift(plan, rng),
    }
    return {name: np.interp(times, plan, track) for name, track in tracks.items()}


def _mouth(plan: FloatArray, spoken: Sequence[Spoken]) -> FloatArray:
    mouth = np.zeros_like(plan)
    for part in spoken:
        own = part.start + np.arange(len(part.opening)) / ENVELOPE_RATE
        mouth += np.interp(plan, own, part.opening, left=0, right=0)
    return np.clip(0.95 * mouth, 0, 1)


def _mood(plan: FloatArray, spoken: Sequence[Spoken]) -> FloatArray:
    """Facial sentiment: on the face from just before a sentence until just after it."""
    mood = np.zeros_like(plan)
    for part in spoken:
        mood[(plan >= part.start - 0.15) & (plan <= part.end + 0.1)] = 0.97 * part.line.face
    return _smooth(mood, 0.16)


def _smooth(track: FloatArray, seconds: float) -> FloatArray:
    reach = np.arange(-4 * seconds, 4 * seconds, 1 / PLAN_RATE)
    kernel = np.exp(-0.5 * (reach / seconds) ** 2)
    padded = np.pad(track, len(kernel), mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="same")[len(kernel) : -len(kernel)]


def _drift(plan: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Idle motion: a few slow sines, between -1 and 1."""
    frequencies = rng.uniform([0.05, 0.12, 0.22], [0.1, 0.2, 0.34])
    phases = rng.uniform(0, 2 * np.pi, size=3)
    waves = np.sin(2 * np.pi * frequencies * plan[:, None] + phases)
    drift: FloatArray = waves @ np.array([0.45, 0.35, 0.2])
    return drift


def _blinks(plan: FloatArray, rng: np.random.Generator) -> FloatArray:
    blink = np.zeros_like(plan)
    at = rng.uniform(0.5, 1.2)
    while at < plan[-1] - 0.5:
        stretch = rng.uniform(0.9, 1.4)
        shape = np.interp((plan - at) / stretch, *BLINK_SHAPE, left=0, right=0)
        blink = np.maximum(blink, shape)
        at += rng.uniform(1.4, 3.0)
    return blink


def _bump(plan: FloatArray, centre: float, width: float) -> FloatArray:
    inside = np.abs(plan - centre) < width / 2
    return np.where(inside, 0.5 + 0.5 * np.cos(2 * np.pi * (plan - centre) / width), 0.0)


def _brow(
    plan: FloatArray, spoken: Sequence[Spoken], mood: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Lowered and drawn together when displeased, raised on emphasised words otherwise."""
    brow = np.where(mood < 0, 0.95 * mood, 0.3 * mood)
    for part in spoken:
        height = 0.75 if part.line.face > -0.3 else 0.0
        centres = part.start + rng.uniform([0.1, 0.55], [0.35, 0.85]) * (part.end - part.start)
        for centre in centres:
            brow = brow + height * rng.uniform(0.6, 1) * _bump(plan, centre, 0.8)
    return brow


def _rhythm(plan: FloatArray, part: Spoken, rate: float, rng: np.random.Generator) -> FloatArray:
    """Swing of the head during one sentence, fading in and out."""
    inside = np.clip((plan - part.start) / (part.end - part.start), 0, 1)
    swing: FloatArray = np.sin(np.pi * inside) * np.sin(
        2 * np.pi * rate * rng.uniform(0.85, 1.15) * (plan - part.start)
    )
    return swing


def _nods(plan: FloatArray, spoken: Sequence[Spoken], rng: np.random.Generator) -> FloatArray:
    nods = np.zeros_like(plan)
    for part in spoken:
        nods += 5.5 * max(part.line.face, 0.0) * _rhythm(plan, part, 1.2, rng)
    return nods


def _shakes(plan: FloatArray, spoken: Sequence[Spoken], rng: np.random.Generator) -> FloatArray:
    shakes = np.zeros_like(plan)
    for part in spoken:
        shakes += 6 * max(-part.line.face, 0.0) * _rhythm(plan, part, 1.1, rng)
    return shakes
