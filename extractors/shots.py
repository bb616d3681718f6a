"""Shot cuts: where one camera's picture gives way to another's."""

import statistics
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from extractors.media import ImageArray, VideoFrame
from extractors.sequence import FloatArray, Seconds

# Enough to tell two views of a stage apart, too coarse for what a speaker's hands do.
WIDTH, HEIGHT = 64, 36
BLOCKS = 4
LEVELS = 16
# A picture whose greys spread less (of 255) shows nothing to compare: black, or faded out.
FLAT = 4.0
# The change is 0 for equal pictures and about 1 for unrelated ones. Cuts between the views of one
# stage lie above .45, people and cameras that move below .31, at 25 pictures a second.
CUT = 0.4
# At fewer pictures a second movement changes more, but then it does so all the time.
CUT_TO_USUAL = 3.0
USUAL: Seconds = 0.5
# What is over sooner is a flash: no editor shows a shot for so short a time.
FLASH: Seconds = 0.1


class View(NamedTuple):
    """What a picture looks like from afar, apart from its brightness and contrast.

    Attributes
    ----------
    greys : ndarray of float32, shape (36, 64)
        Small picture with mean 0 and standard deviation 1.
    histogram : ndarray of float64, shape (256,)
        Share of the picture's pixels in each of 16 grey levels of each of 16 blocks.
    """

    greys: FloatArray
    histogram: npt.NDArray[np.float64]


def shots(frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, int]]:
    """Give every picture the number of its shot.

    Fades, flashes and flat pictures do not start a shot, and neither does what moves. A slow
    dissolve goes unseen.

    Parameters
    ----------
    frames : iterable of VideoFrame
        Pictures in time order; all of them, since movement grows with the distance in time.

    Yields
    ------
    (VideoFrame, int)
        Every picture with the number of its shot, from 0. Pictures are held back for 0.1 s while
        it is open whether a sudden change lasts.
    """
    shot, last, limit = 0, None, CUT
    usual: deque[tuple[Seconds, float]] = deque()
    doubtful: list[tuple[VideoFrame, View | None]] = []
    for frame in frames:
        now = view(frame.image)
        moved = 0.0 if now is None or last is None else change(last, now)
        if not doubtful:
            while usual and usual[0][0] < frame.time - USUAL:
                usual.popleft()
            if moved > CUT:
                limit = max(CUT, CUT_TO_USUAL * _median(usual))
            if moved <= limit:
                usual.append((frame.time, moved))
                last = now or last
                yield frame, shot
                continue
        doubtful.append((frame, now))
        flash = now is not None and moved <= limit
        if flash or frame.time - doubtful[0][0].time >= FLASH:
            if not flash:
                shot += 1
                usual.clear()
            yield from ((held, shot) for held, _ in doubtful)
            last = next(seen for _, seen in reversed(doubtful) if seen is not None)
            doubtful.clear()
    yield from ((held, shot + 1) for held, _ in doubtful)


def view(image: ImageArray) -> View | None:
    """Look at a picture from afar.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        RGB.

    Returns
    -------
    View or None
        None of a picture that is flat, such as a black one.
    """
    # Green carries most of the brightness; every n-th pixel of a large picture is enough.
    height, width = image.shape[:2]
    step = max(1, min(width // (2 * WIDTH), height // (2 * HEIGHT)))
    green = np.ascontiguousarray(image[::step, ::step, 1])
    small = cv2.resize(green, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    spread = float(small.std())
    if spread < FLAT:
        return None
    greys = (small - small.mean()) / spread
    # LEVELS levels cover two standard deviations to both sides.
    level = np.clip(greys * (LEVELS / 4) + LEVELS / 2, 0, LEVELS - 1).astype(np.intp)
    counts = np.bincount((_FIRST_BIN + level).ravel(), minlength=LEVELS * BLOCKS**2)
    return View(greys, counts / greys.size)


def change(before: View, after: View) -> float:
    """How much a picture differs from another.

    Parameters
    ----------
    before, after : View
        Two pictures.

    Returns
    -------
    float
        Geometric mean of the histograms' distance (half the sum of the absolute differences) and
        one minus the greys' correlation: 0 for the same picture in any brightness and contrast,
        1 for unrelated ones. A moving camera changes the correlation more than the histogram, a
        passing shadow the histogram more than the correlation; a cut changes both.
    """
    distance = np.abs(before.histogram - after.histogram).sum() / 2
    unlike = max(0.0, 1.0 - float((before.greys * after.greys).mean()))
    return float(np.sqrt(distance * unlike))


def _median(usual: Iterable[tuple[Seconds, float]]) -> float:
    """Tell the usual change; 0 before there is one."""
    return statistics.median([moved for _, moved in usual] or [0.0])


_FIRST_BIN = LEVELS * (
    np.arange(HEIGHT)[:, None] * BLOCKS // HEIGHT * BLOCKS
    + np.arange(WIDTH)[None, :] * BLOCKS // WIDTH
)
