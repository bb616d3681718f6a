"""Where word pieces lie in time, and in which window of a long text they are read."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from extractors.sequence import TimeArray

IndexArray = npt.NDArray[np.int64]


class ContextWindow(NamedTuple):
    """A stretch of word pieces that is read at once, and the part of it that is kept.

    Attributes
    ----------
    start, end : int
        Pieces ``[start, end)`` are read.
    keep_start, keep_end : int
        Pieces ``[keep_start, keep_end)`` are kept, ``start <= keep_start < keep_end <= end``.
    """

    start: int
    end: int
    keep_start: int
    keep_end: int


def spread_over_pieces(*, word_spans: TimeArray, word_of_piece: IndexArray) -> TimeArray:
    """Split every word's span evenly over its pieces.

    Parameters
    ----------
    word_spans : ndarray, shape (W, 2)
        Start and end of every word in seconds.
    word_of_piece : ndarray of int, shape (P,)
        The word each piece belongs to, not decreasing; words may have no piece.

    Returns
    -------
    ndarray of float64, shape (P, 2)
        Spans of the pieces. Where words overlap, a piece starts no earlier than the one before.
    """
    if not len(word_of_piece):
        return np.zeros((0, 2))
    pieces_of_word = np.bincount(word_of_piece, minlength=len(word_spans))
    first_piece = np.cumsum(pieces_of_word) - pieces_of_word
    rank = np.arange(len(word_of_piece)) - first_piece[word_of_piece]
    count = pieces_of_word[word_of_piece]
    start, end = word_spans[word_of_piece].T
    # Weights instead of start + step * rank: the last piece then ends exactly with its word.
    starts = (start * (count - rank) + end * rank) / count
    ends = (start * (count - rank - 1) + end * (rank + 1)) / count
    starts = np.maximum.accumulate(starts)
    return np.column_stack([starts, np.maximum(starts, ends)])


def context_windows(*, pieces: int, size: int, stride: int) -> tuple[ContextWindow, ...]:
    """Cover a text by overlapping windows, so that every piece has context on both sides.

    Parameters
    ----------
    pieces : int
        Length of the text, >= 0.
    size : int
        Pieces in a window, > 0.
    stride : int
        Pieces from one window's start to the next, ``0 < stride <= size``.

    Returns
    -------
    tuple of ContextWindow
        Their kept parts follow on each other without gap or overlap: every piece is taken from
        the window in which it is farthest from an edge that cuts the text. All windows are full,
        unless the text is shorter than one.

    Raises
    ------
    ValueError
        If the stride leaves gaps.
    """
    if not 0 < stride <= size:
        raise ValueError(f"stride must be in [1, {size}], the window's size, got {stride}")
    if pieces == 0:
        return ()
    last_start = max(pieces - size, 0)
    starts = [*range(0, last_start, stride), last_start]
    ends = [min(start + size, pieces) for start in starts]
    # Two windows meet in the middle of their overlap.
    meetings = [(start + end) // 2 for start, end in zip(starts[1:], ends[:-1], strict=True)]
    kept = zip([0, *meetings], [*meetings, pieces], strict=True)
    return tuple(
        ContextWindow(start, end, keep_start, keep_end)
        for start, end, (keep_start, keep_end) in zip(starts, ends, kept, strict=True)
    )
