"""Cut a sound into frames, and bring per-frame values onto the common 10 ms grid.

All acoustic descriptors work on sound of 16 kHz and count instants in *positions*: sample
numbers that start at 1, as COVAREP does.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from extractors.sequence import TimeArray

Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Samples = npt.NDArray[np.floating]

SAMPLE_RATE = 16000
GRID_START = 80
GRID_HOP = 160


def round_half_away(x: npt.ArrayLike) -> IntArray:
    """Round to the nearest integer, halves away from zero.

    Parameters
    ----------
    x : array_like of float
        Any finite numbers.

    Returns
    -------
    ndarray of int64
        Same shape. Unlike :func:`numpy.round`, 2.5 becomes 3.
    """
    x = np.asarray(x, np.float64)
    return np.asarray(np.sign(x) * np.floor(np.abs(x) + 0.5), np.int64)


def grid_positions(*, n_samples: int) -> Float64Array:
    """Positions of the output rows.

    Parameters
    ----------
    n_samples : int
        Length of the sound in samples of 16 kHz, >= 0.

    Returns
    -------
    ndarray of float64, shape (J,)
        80 + 160 j while not beyond ``n_samples``; empty for a sound under 5 ms.
    """
    return np.arange(GRID_START, n_samples + 1, GRID_HOP, dtype=np.float64)


def grid_times(*, n_samples: int) -> TimeArray:
    """Time span of every output row.

    A row stands for the 10 ms around its instant ``(position - 1) / 16000``, which makes the spans
    adjoin; the first and last are cut where the sound begins and ends.

    Parameters
    ----------
    n_samples : int
        Length of the sound in samples of 16 kHz, >= 0.

    Returns
    -------
    ndarray of float64, shape (J, 2)
        Start and end in seconds.
    """
    instants = (grid_positions(n_samples=n_samples) - 1) / SAMPLE_RATE
    half = GRID_HOP / SAMPLE_RATE / 2
    spans = np.stack([instants - half, instants + half], axis=1)
    return np.clip(spans, 0.0, n_samples / SAMPLE_RATE)


def interpolate_to_grid(
    *, values: npt.NDArray[np.floating], positions: Float64Array, n_samples: int
) -> Float64Array:
    """Interpolate per-frame values linearly to the output rows.

    Parameters
    ----------
    values : ndarray of float, shape (M,) or (M, D)
        One value or row per frame.
    positions : ndarray of float64, shape (M,)
        Increasing positions of the frames.
    n_samples : int
        Length of the sound in samples of 16 kHz, >= 0.

    Returns
    -------
    ndarray of float64, shape (J,) or (J, D)
        NaN in rows outside the frames' range.
    """
    grid = grid_positions(n_samples=n_samples)
    result = np.full((len(grid), *values.shape[1:]), np.nan)
    if len(positions) == 0:
        return result
    inside = (grid >= positions[0]) & (grid <= positions[-1])
    left = np.searchsorted(positions, grid[inside], side="right") - 1
    right = np.minimum(left + 1, len(positions) - 1)
    gap = np.maximum(positions[right] - positions[left], 1.0)
    weight = (grid[inside] - positions[left]) / gap
    weight = weight.reshape(-1, *[1] * (values.ndim - 1))
    result[inside] = (1 - weight) * values[left] + weight * values[right]
    return result


def framed(*, signal: Samples, length: int, hop: int) -> Samples:
    """View a sound as overlapping frames, without copying.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Samples.
    length, hop : int
        Length of a frame and the step between frames in samples, > 0.

    Returns
    -------
    ndarray of float, shape (M, length)
        Read-only view; ``M = 0`` if the sound is shorter than a frame.
    """
    if len(signal) < length:
        return np.zeros((0, length), signal.dtype)
    return np.lib.stride_tricks.sliding_window_view(signal, length)[::hop]


def blocks(*, count: int, size: int) -> Iterator[slice]:
    """Split a range into pieces, so that memory does not grow with the sound.

    Parameters
    ----------
    count : int
        Number of items, >= 0.
    size : int
        Most items in a piece, > 0.

    Yields
    ------
    slice
        Adjoining slices that cover ``range(count)``.
    """
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
