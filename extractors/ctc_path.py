"""The likeliest way of a known text through the output of a CTC model."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from extractors.sequence import FloatArray
from extractors.word_pieces import IndexArray

#: Frames searched at once: a minute of 20 ms.
WINDOW_FRAMES = 3000
# What is found in the last part of a window is searched for again from the next.
SETTLED_FRAMES = 2500


class FoundWord(NamedTuple):
    """Where a word is.

    Attributes
    ----------
    word : int
        Which.
    start, end : int
        Its frames are ``[start, end)``, from its first letter to its last one.
    confidence : float
        Mean posterior probability of its letters on their frames, in [0, 1].
    """

    word: int
    start: int
    end: int
    confidence: float


def best_states(
    *,
    log_probabilities: FloatArray,
    labels: Sequence[int],
    blank: int,
    open_end: bool = False,
) -> IndexArray:
    """Find the likeliest path of a label sequence, by the algorithm of Viterbi.

    Parameters
    ----------
    log_probabilities : ndarray of float, shape (T, V)
        Natural logarithms of the model's posteriors; T >= 1.
    labels : sequence of int, length N
        What is said, without blanks.
    blank : int
        Index of the blank label.
    open_end : bool, optional
        Whether the path may end anywhere in the labels, instead of behind the last one.

    Returns
    -------
    ndarray of int, shape (T,)
        State on every frame, not decreasing, in ``[0, 2 N]``: odd ones, ``2 i + 1``, are label i,
        even ones the blank before label ``i``.

    Raises
    ------
    ValueError
        If there are fewer frames than :func:`least_frames`, and the end is not open.

    References
    ----------
    Graves et al. (2006), "Connectionist Temporal Classification", ICML, section 4.1, with maxima
    in place of sums.
    """
    frames = len(log_probabilities)
    if not open_end and frames < least_frames(labels):
        raise ValueError(
            f"{len(labels)} labels need {least_frames(labels)} frames, there are {frames}"
        )
    outputs = np.full(2 * len(labels) + 1, blank, np.int64)
    outputs[1::2] = labels
    # A blank between two labels may be left out, unless they are the same.
    skippable = np.zeros(len(outputs), np.bool_)
    skippable[3::2] = outputs[3::2] != outputs[1:-2:2]
    steps = np.zeros((frames, len(outputs)), np.uint8)
    score = np.full(len(outputs), -np.inf)
    score[:2] = log_probabilities[0, outputs[:2]]
    for t in range(1, frames):
        best = score.copy()
        nearer = score[:-1] > best[1:]
        best[1:][nearer] = score[:-1][nearer]
        steps[t, 1:][nearer] = 1
        farther = skippable[2:] & (score[:-2] > best[2:])
        best[2:][farther] = score[:-2][farther]
        steps[t, 2:][farther] = 2
        score = best + log_probabilities[t, outputs]
    state = _last_state(score, open_end=open_end)
    path = np.empty(frames, np.int64)
    for t in range(frames - 1, -1, -1):
        path[t] = state
        state -= int(steps[t, state])
    return path


def least_frames(labels: Sequence[int]) -> int:
    """Count the frames that labels need at least.

    Parameters
    ----------
    labels : sequence of int
        Without blanks.

    Returns
    -------
    int
        One for each, and one for the blank between two that are the same.
    """
    known = np.asarray(labels, np.int64)
    return len(known) + int(np.count_nonzero(known[1:] == known[:-1]))


def find_words(
    *,
    log_probabilities: FloatArray,
    words: Sequence[Sequence[int]],
    blank: int,
    delimiter: int | None = None,
) -> Iterator[FoundWord]:
    """Find words in a CTC model's output of any length.

    Windows of a minute are searched one after the other, each from the end of the last word that
    the one before it has settled, so that time grows with the length and memory does not.

    Parameters
    ----------
    log_probabilities : ndarray of float32, shape (T, V)
        Natural logarithms of the posteriors.
    words : sequence of sequence of int
        Labels of every word, at least one each.
    blank : int
        Index of the blank label.
    delimiter : int, optional
        Label that stands between words, if the model has one.

    Yields
    ------
    FoundWord
        In order. Words for whose letters there is no room at the end are left out.
    """
    frame = word = 0
    while word < len(words) and frame < len(log_probabilities):
        part = log_probabilities[frame : frame + WINDOW_FRAMES]
        final = frame + WINDOW_FRAMES >= len(log_probabilities)
        # nobody says more than a letter every other frame
        reach = len(part) if final else len(part) // 2
        labels, owners = _spelled(words[word:], delimiter=delimiter, reach=reach)
        complete = word + owners[-1] + 1 == len(words)
        fits = least_frames(labels) <= len(part)
        path = best_states(
            log_probabilities=part,
            labels=labels,
            blank=blank,
            open_end=not (final and complete and fits),
        )
        found = list(_passed(path, part, labels, owners))
        if not final:
            found = [one for one in found if one.end <= SETTLED_FRAMES]
        for one in found:
            yield FoundWord(one.word + word, one.start + frame, one.end + frame, one.confidence)
        if final:
            return
        frame += found[-1].end if found else SETTLED_FRAMES
        word += len(found)


def _last_state(score: FloatArray, *, open_end: bool) -> int:
    if open_end:
        return int(np.argmax(score))
    last = len(score) - 1
    return last - 1 if last and score[last - 1] > score[last] else last


def _spelled(
    words: Sequence[Sequence[int]], *, delimiter: int | None, reach: int
) -> tuple[list[int], list[int]]:
    """Labels of the first words, up to some number, and the word of each; -1 between words."""
    labels: list[int] = []
    owners: list[int] = []
    for number, word in enumerate(words):
        if labels and len(labels) + len(word) > reach:
            break
        if labels and delimiter is not None:
            labels.append(delimiter)
            owners.append(-1)
        labels += word
        owners += [number] * len(word)
    return labels, owners


def _passed(
    path: IndexArray, log_probabilities: FloatArray, labels: Sequence[int], owners: Sequence[int]
) -> Iterator[FoundWord]:
    """Words all of whose letters are on the path."""
    frames = np.flatnonzero(path % 2)
    letters = path[frames] // 2
    posteriors = np.exp(log_probabilities[frames, np.asarray(labels)[letters]])
    owner = np.asarray(owners)
    of_frame = owner[letters]
    for number in range(int(of_frame.max(initial=-1)) + 1):
        at = np.flatnonzero(of_frame == number)
        if letters[at[-1]] < np.flatnonzero(owner == number)[-1]:
            return
        yield FoundWord(
            number,
            int(frames[at[0]]),
            int(frames[at[-1]]) + 1,
            float(np.clip(posteriors[at].mean(), 0, 1)),
        )
