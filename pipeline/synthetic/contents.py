"""The course of the factors over the frames of a clip: unaligned events and steady nuisance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from models.batch import MODALITIES
from pipeline.synthetic.factors import NUISANCE, PRIVATE, SHARED, Factors

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: Shortest and longest sequence, in frames.
LENGTHS = {"text": (10, 20), "audio": (30, 50), "vision": (20, 36)}
#: Modalities that see the last shared factor where it is partial.
PARTIAL_MODALITIES = ("text", "audio")

_COPY_NOISE = 0.2
_EVENT_GAIN, _EVENT_WIDTH, _EVENT_RANGE = 2.0, 0.12, (0.15, 0.85)
_NUISANCE_GAIN = 1.5
_JITTER, _LAG = 0.3, 0.05
_AUTOREGRESSION, _INNOVATION = 0.7, 0.3


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """One modality of n clips before mixing, end to end.

    Parameters
    ----------
    frames : ndarray, shape (sum of T, 10)
        Four shared, three private and three nuisance tracks.
    offsets : ndarray of int64, shape (n + 1,)
        Clip ``i`` has frames ``offsets[i]`` to ``offsets[i + 1]``.
    """

    frames: Floats
    offsets: Integers


def draw_contents(
    *, factors: Factors, partial_shared: bool, generator: np.random.Generator
) -> Mapping[str, Content]:
    """Spread factors over time.

    A shared factor is an event at one moment of the clip that all modalities see, each through a
    noisy copy and with a lag of its own; a private factor is an event at a moment of its own; a
    nuisance factor is there throughout, under an autoregressive drift.

    Parameters
    ----------
    factors : Factors
        Of n clips.
    partial_shared : bool
        Whether vision does not see the last shared factor.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    mapping of str to Content
        By modality.
    """
    moments = generator.uniform(*_EVENT_RANGE, size=factors.shared.shape)
    contents = {}
    for name in MODALITIES:
        seen = np.ones(SHARED)
        if partial_shared and name not in PARTIAL_MODALITIES:
            seen[-1] = 0.0
        noise = generator.standard_normal(factors.shared.shape)
        contents[name] = _content(
            shared=(factors.shared + _COPY_NOISE * noise) * seen,
            private=factors.private[name],
            nuisance=factors.nuisance[name],
            moments=moments,
            limits=LENGTHS[name],
            generator=generator,
        )
    return contents


def _content(
    *,
    shared: Floats,
    private: Floats,
    nuisance: Floats,
    moments: Floats,
    limits: tuple[int, int],
    generator: np.random.Generator,
) -> Content:
    clips = len(shared)
    lengths = generator.integers(limits[0], limits[1], size=clips, endpoint=True)
    lag = generator.uniform(-_LAG, _LAG, size=(clips, 1))
    own_moments = generator.uniform(*_EVENT_RANGE, size=(clips, PRIVATE))
    centres = np.concatenate([moments, own_moments], axis=1) + lag
    amplitudes = _EVENT_GAIN * np.concatenate([shared, private], axis=1)

    clip = np.repeat(np.arange(clips), lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    step = np.arange(offsets[-1]) - offsets[clip]
    jitter = generator.uniform(-_JITTER, _JITTER, size=len(step))
    times = (step + jitter) / (lengths[clip] - 1)
    distance = (times[:, None] - centres[clip]) / _EVENT_WIDTH
    events = amplitudes[clip] * np.exp(-0.5 * distance**2)
    drift = _drift(clips, limits[1], generator)[clip, step]
    steady = _NUISANCE_GAIN * nuisance[clip] + drift
    return Content(frames=np.concatenate([events, steady], axis=1), offsets=offsets)


def _drift(clips: int, frames: int, generator: np.random.Generator) -> Floats:
    """Stationary first-order autoregression, of shape (clips, frames, 3)."""
    innovations = _INNOVATION * generator.standard_normal((clips, frames, NUISANCE))
    innovations[:, 0] /= math.sqrt(1.0 - _AUTOREGRESSION**2)
    drift: Floats = lfilter([1.0], [1.0, -_AUTOREGRESSION], innovations, axis=1)
    return drift
