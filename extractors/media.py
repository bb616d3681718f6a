"""Open, probe and decode a clip; the only place that reads media.

Time is counted in seconds from the start of the container, for sound and picture alike, so that
rows of different extractors of one clip can be laid side by side. Rotation written in the file is
applied; timestamps are the file's own, so variable frame rates keep their true times.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import av
import av.error
import numpy as np
import numpy.typing as npt

from extractors.errors import MediaError, MissingStreamError
from extractors.sequence import FloatArray, Seconds
from extractors.words import Word

ImageArray = npt.NDArray[np.uint8]
# A hole in the sound's timestamps longer than this is silence that was not stored.
AUDIO_GAP: Seconds = 0.1


class VideoFrame(NamedTuple):
    """One decoded picture.

    Attributes
    ----------
    time : Seconds
        When it is first shown, from the start of the clip.
    image : ndarray of uint8, shape (height, width, 3)
        RGB, upright.
    """

    time: Seconds
    image: ImageArray


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """What a probe says about a file.

    Parameters
    ----------
    duration : Seconds
        Length of the clip, > 0.
    fps : float or None
        Average frame rate; None without a picture.
    width, height : int or None
        Upright picture size in pixels, rotation applied.
    sample_rate : int or None
        Native sampling rate in Hz; None without sound.
    rotation : int
        Degrees clockwise by which stored pictures are turned, one of 0, 90, 180, 270.
    """

    duration: Seconds
    fps: float | None
    width: int | None
    height: int | None
    sample_rate: int | None
    rotation: int = 0

    @property
    def has_video(self) -> bool:
        """Whether there are moving pictures."""
        return self.fps is not None

    @property
    def has_audio(self) -> bool:
        """Whether there is sound."""
        return self.sample_rate is not None
