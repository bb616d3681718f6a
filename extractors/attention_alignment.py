"""When a recogniser wrote each token: where its cross-attention looks in the sound."""

import numpy as np
import numpy.typing as npt
import scipy.ndimage

from extractors.framing import Float64Array
from extractors.word_pieces import IndexArray

MEDIAN_WIDTH = 7


def token_onsets(*, attention: npt.NDArray[np.floating]) -> IndexArray:
    """Find the frame at which each token begins.

    Every head's attention is standardised over the tokens, smoothed over time by a median of 7
    frames and averaged over the heads; dynamic time warping then finds the way through tokens
    and frames, from the first of both to the last of both, along which it is greatest.

    Parameters
    ----------
    attention : ndarray of float, shape (H, N, T)
        Weight that head h gives frame t when token n is written; H, N, T >= 1. Heads that
        look at what is being said tell most.

    Returns
    -------
    ndarray of int, shape (N,)
        First frame of every token, not decreasing, in ``[0, T)``; the first is 0. A token ends
        where the next one begins, so the token that ends the text is needed too.

    References
    ----------
    Radford et al. (2023), "Robust Speech Recognition via Large-Scale Weak Supervision", ICML;
    the timing of words is that of its published program, not in the paper. Giorgino (2009),
    "Computing and Visualizing Dynamic Time Warping Alignments in R", J. Stat. Softw. 31(7).
    """
    weights = np.asarray(attention, np.float64)
    spread = weights.std(axis=1, keepdims=True)
    standard = (weights - weights.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
    smooth = scipy.ndimage.median_filter(standard, size=(1, 1, MEDIAN_WIDTH), mode="mirror")
    return warped_onsets(cost=-smooth.mean(axis=0))


def warped_onsets(*, cost: npt.NDArray[np.floating]) -> IndexArray:
    """Find the cheapest monotone way through a table, by dynamic time warping.

    Steps go to the next column, to the next row, or to both; every cell on the way is paid.

    Parameters
    ----------
    cost : ndarray of float, shape (N, T)
        N, T >= 1; finite.

    Returns
    -------
    ndarray of int, shape (N,)
        First column of every row on the way from the first cell to the last one.
    """
    table = np.asarray(cost, np.float64)
    rows, columns = table.shape
    totals = np.empty((rows, columns))
    entered = np.empty((rows, columns), np.int64)
    arriving = np.full(columns, np.inf)
    arriving[0] = 0.0
    for row in range(rows):
        # Staying in a row from column k to j costs a difference of running sums, so that the best
        # k for every j is a running minimum.
        running = np.cumsum(table[row])
        entry = arriving - (running - table[row])
        best = np.minimum.accumulate(entry)
        first = np.r_[True, entry[1:] < best[:-1]]
        entered[row] = np.maximum.accumulate(np.where(first, np.arange(columns), 0))
        totals[row] = running + best
        arriving = np.minimum(totals[row], np.r_[np.inf, totals[row, :-1]])
    return _walk_back(totals=totals, entered=entered)


def _walk_back(*, totals: Float64Array, entered: IndexArray) -> IndexArray:
    rows, columns = totals.shape
    onsets = np.empty(rows, np.int64)
    column = columns - 1
    for row in range(rows - 1, -1, -1):
        column = onsets[row] = entered[row, column]
        if row and column and totals[row - 1, column - 1] <= totals[row - 1, column]:
            column -= 1
    return onsets
