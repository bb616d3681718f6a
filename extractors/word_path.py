"""The most likely path of known words through sound."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from extractors.sequence import FloatArray
from extractors.sphinx_model import STATES, AcousticModel, IntArray

_NEVER = np.float32(-1e30)


class PathWord(NamedTuple):
    """Where a word was found.

    Attributes
    ----------
    word : int
        Which one, from 0.
    start, end : int
        Its frames, ``[start, end)``.
    score : float
        Mean of its states' scores over its frames.
    """

    word: int
    start: int
    end: int
    score: float


@dataclass(frozen=True, kw_only=True, eq=False)
class WordGraph:
    """Words one after the other, as chains of states; a word has a chain for each pronunciation.

    Parameters
    ----------
    senones : ndarray of int, shape (S,)
        Index into the scores' columns, for every state.
    stay, leave : ndarray of float32, shape (S,)
        Log probabilities of the transitions.
    first, last : ndarray of int, shape (W, K)
        States a chain begins and ends with; words with fewer pronunciations repeat their first.
    columns : ndarray of int
        The model's senones that the scores' columns hold.
    """

    senones: IntArray
    stay: FloatArray
    leave: FloatArray
    first: IntArray
    last: IntArray
    columns: IntArray


def word_graph(
    *, pronunciations: Sequence[Sequence[tuple[str, ...]]], model: AcousticModel
) -> WordGraph:
    """Chain words.

    Parameters
    ----------
    pronunciations : sequence of sequence of tuple of str
        For each word its pronunciations, at least one, as the model's phones.
    model : AcousticModel
        Knows their states.

    Returns
    -------
    WordGraph
        Phones at a word's edges take their context from its neighbours' first pronunciations.
    """
    index = {phone: number for number, phone in enumerate(model.phones)}
    words = [[[index[p] for p in one] for one in word] for word in pronunciations]
    silence = index["SIL"]
    variants = max((len(word) for word in words), default=1)
    first = np.zeros((len(words), variants), np.int64)
    last = np.zeros_like(first)
    senones: list[IntArray] = []
    phones: list[int] = []
    for number, word in enumerate(words):
        left = words[number - 1][0][-1] if number else silence
        right = words[number + 1][0][0] if number + 1 < len(words) else silence
        for variant, chain in enumerate(word):
            first[number, variant] = STATES * len(phones)
            phones += chain
            last[number, variant] = STATES * len(phones) - 1
            senones.append(model.word_senones(phones=chain, left=left, right=right).ravel())
        first[number, len(word) :], last[number, len(word) :] = first[number, 0], last[number, 0]
    flat = np.concatenate([np.zeros(0, np.int64), *senones])
    columns, inverse = np.unique(np.concatenate([model.phone_senones, flat]), return_inverse=True)
    stay = model.stay[phones].ravel()
    return WordGraph(
        senones=inverse[len(model.phone_senones) :],
        stay=np.log(stay),
        leave=np.log1p(-stay),
        first=first,
        last=last,
        columns=columns,
    )


def best_path(
    *,
    graph: WordGraph,
    scores: FloatArray,
    filler: FloatArray,
    skip_costs: tuple[float, float],
    filler_costs: tuple[float, ...],
    open_end: bool = False,
) -> list[PathWord]:
    """Find the most likely path of words through frames (Viterbi 1967).

    Between words, fillers may take frames; words may be left out.

    Parameters
    ----------
    graph : WordGraph
        W words with S states.
    scores : ndarray of float32, shape (T, C)
        Of the graph's columns.
    filler : ndarray of float32, shape (T, F)
        Scores of a frame that belongs to no word, for each kind of filler.
    skip_costs : (float, float)
        Cost of leaving words out, and of each of them.
    filler_costs : tuple of float
        Cost of a stretch of each kind of filler.
    open_end : bool
        Whether words may be left out at the end for nothing.

    Returns
    -------
    list of PathWord
        The words that were found, in order.
    """
    lattice = _Lattice(filler.shape, len(graph.first), len(graph.senones))
    lattice.fill(graph, scores, filler, skip_costs, filler_costs)
    return lattice.trace(graph, scores, open_end=open_end)


class _Lattice:
    """Where each place in the graph was come to from, for every frame."""

    def __init__(self, filler: tuple[int, ...], words: int, states: int) -> None:
        frames, self.kinds = filler
        self.moved = np.zeros((frames + 1, states), bool)
        self.filler_entered = np.zeros((frames + 1, self.kinds, words + 1), bool)
        # The filler that ended, else the number of kinds plus that of the pronunciation
        self.ended = np.zeros((frames + 1, words + 1), np.int8)
        self.skipped_from = np.zeros((frames + 1, words + 1), np.int32)
        self.final = np.full(words + 1, _NEVER)

    def fill(
        self,
        graph: WordGraph,
        scores: FloatArray,
        filler: FloatArray,
        skip_costs: tuple[float, float],
        filler_costs: tuple[float, ...],
    ) -> None:
        words, frames = len(graph.first), len(scores)
        places = np.arange(words + 1)
        costs = (skip_costs[1] * places).astype(np.float32)
        opening = np.float32(skip_costs[0])
        entering_filler = np.array(filler_costs, np.float32)[:, None]
        state = np.full(len(graph.senones), _NEVER)
        idle = np.full((self.kinds, words + 1), _NEVER)
        between = np.where(places > 0, -opening - costs, np.float32(0))
        flat_first, entering = (
            graph.first.ravel(),
            np.repeat(np.arange(words), graph.first.shape[1]),
        )
        leave_last = graph.leave[graph.last]
        moving = np.empty_like(state)
        rows = np.arange(words)
        for t in range(frames):
            moving[1:] = state[:-1] + graph.leave[:-1]
            moving[flat_first] = between[entering]
            state += graph.stay
            np.greater(moving, state, out=self.moved[t + 1])
            np.maximum(moving, state, out=state)
            state += scores[t, graph.senones]
            started = between - entering_filler
            np.greater(started, idle, out=self.filler_entered[t + 1])
            np.maximum(started, idle, out=idle)
            idle += filler[t, :, None]
            ends = state[graph.last] + leave_last
            best = ends.argmax(axis=1)
            arrived = ends[rows, best]
            reached = idle.max(axis=0)
            ended = self.ended[t + 1]
            ended[:] = idle.argmax(axis=0)
            by_word = arrived > reached[1:]
            ended[1:][by_word] = best[by_word] + self.kinds
            np.maximum(arrived, reached[1:], out=reached[1:])
            gained = reached + costs
            highest = np.maximum.accumulate(gained)
            origin = np.maximum.accumulate(np.where(gained == highest, places, 0))
            between = highest - costs - opening
            self.skipped_from[t + 1] = np.where(reached >= between, places, origin)
            np.maximum(reached, between, out=between)
        self.final = between

    def trace(self, graph: WordGraph, scores: FloatArray, *, open_end: bool) -> list[PathWord]:
        frame = len(scores)
        place = int(self.final.argmax()) if open_end else len(self.final) - 1
        found: list[PathWord] = []
        while frame > 0:
            place = int(self.skipped_from[frame, place])
            variant = int(self.ended[frame, place])
            if variant < self.kinds:
                while not self.filler_entered[frame, variant, place]:
                    frame -= 1
                frame -= 1
                continue
            place -= 1
            end = frame
            state = graph.last[place, variant - self.kinds]
            begin = graph.first[place, variant - self.kinds]
            total = 0.0
            while True:
                total += scores[frame - 1, graph.senones[state]]
                moved = self.moved[frame, state]
                frame -= 1
                if moved and state == begin:
                    break
                state -= moved
            found.append(PathWord(place, frame, end, total / (end - frame)))
        return found[::-1]
