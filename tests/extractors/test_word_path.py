import itertools

import numpy as np
import pytest

from extractors.sphinx_model import english_model
from extractors.word_path import best_path, word_graph

MODEL = english_model()


def search(words, scores, filler, **options):
    graph = word_graph(pronunciations=words, model=MODEL)
    settings = {"skip_cost": 15.0, "filler_cost": 5.0} | options
    return graph, best_path(graph=graph, scores=scores(graph), filler=filler, **settings)


def planted(graph, runs, frames):
    """Scores that are 0 on a planted path and -20 off it."""
    scores = np.full((frames, len(graph.columns)), -20, np.float32)
    for word, start, length in runs:
        states = np.arange(graph.first[word, 0], graph.last[word, 0] + 1)
        for state, frame in zip(np.repeat(states, length), itertools.count(start), strict=False):
            scores[frame, graph.senones[state]] = 0
    return scores


WORDS = [[("K", "AE", "T")], [("D", "AO", "G"), ("D", "AA", "G")], [("M", "AW", "S")]]


def test_finds_words_where_they_were_planted():
    runs = [(0, 10, 4), (1, 46, 2), (2, 80, 3)]
    filler = np.zeros(120, np.float32)
    for _, start, length in runs:
        filler[start : start + 9 * length] = -20
    _, path = search(WORDS, lambda graph: planted(graph, runs, 120), filler)
    assert [(p.word, p.start, p.end) for p in path] == [
        (word, start, start + 9 * length) for word, start, length in runs
    ]
    assert all(p.score == pytest.approx(0) for p in path)


def test_leaves_out_a_word_that_is_not_there():
    runs = [(0, 10, 4), (2, 60, 3)]
    filler = np.zeros(120, np.float32)
    for _, start, length in runs:
        filler[start : start + 9 * length] = -20
    _, path = search(WORDS, lambda graph: planted(graph, runs, 120), filler)
    assert [p.word for p in path] == [0, 2]


def test_no_frames_hold_no_words():
    filler = np.zeros(0, np.float32)
    _, path = search(WORDS, lambda graph: np.zeros((0, len(graph.columns)), np.float32), filler)
    assert path == []


def brute_force(graph, scores, filler, skip_cost, filler_cost):  # noqa: C901
    """Best total over all sequences of places, by plain recursion over frames."""
    words, states = len(graph.first), len(graph.senones)
    best = {("between", j): -skip_cost * j for j in range(words + 1)}
    for frame in range(len(scores)):
        after: dict = {}

        def offer(place, value, after=after):
            after[place] = max(after.get(place, -np.inf), value)

        for (kind, at), value in best.items():
            if kind == "between":
                offer(("filler", at), value - filler_cost + filler[frame])
                if at < words:
                    for state in set(graph.first[at]):
                        offer(("state", state), value + scores[frame, graph.senones[state]])
            elif kind == "filler":
                offer(("filler", at), value + filler[frame])
            else:
                score = scores[frame, graph.senones[at]]
                offer(("state", at), value + graph.stay[at] + score)
                if at + 1 < states and at not in graph.last:
                    score = scores[frame, graph.senones[at + 1]]
                    offer(("state", at + 1), value + graph.leave[at] + score)
        for (kind, at), value in list(after.items()):
            if kind == "filler":
                offer(("between", at), value)
            elif kind == "state" and at in graph.last:
                word = int(np.flatnonzero((graph.last == at).any(axis=1))[0])
                offer(("between", word + 1), value + graph.leave[at])
        for j in range(words):
            if ("between", j) in after:
                offer(("between", j + 1), after["between", j] - skip_cost)
        best = after
    return best["between", words]


@pytest.mark.parametrize("seed", range(5))
def test_total_is_that_of_an_exhaustive_search(seed):
    rng = np.random.default_rng(seed)
    words = [[("K", "AE")], [("D", "AO", "G"), ("D", "AA")], [("S",)]]
    graph = word_graph(pronunciations=words, model=MODEL)
    scores = rng.normal(-3, 3, (30, len(graph.columns))).astype(np.float32)
    filler = rng.normal(-4, 2, 30).astype(np.float32)
    path = best_path(graph=graph, scores=scores, filler=filler, skip_cost=4.0, filler_cost=2.0)
    total = -4.0 * (len(words) - len(path))
    covered = np.zeros(30, bool)
    for found in path:
        covered[found.start : found.end] = True
        total += (found.end - found.start) * found.score + transitions(graph, found, scores)
    total += filler[~covered].sum()
    edges = np.diff(np.r_[0, ~covered, 0])
    total -= 2.0 * (edges == 1).sum()
    assert total == pytest.approx(brute_force(graph, scores, filler, 4.0, 2.0), abs=1e-3)


def transitions(graph, found, scores):
    """Log probability of the likeliest moves through a word in its frames."""
    best = -np.inf
    for first, last in zip(graph.first[found.word], graph.last[found.word], strict=True):
        states = np.arange(first, last + 1)
        frames = found.end - found.start
        for cuts in itertools.combinations(range(1, frames), len(states) - 1):
            edges = [0, *cuts, frames]
            moves = sum(
                graph.stay[state] * (end - start - 1) + graph.leave[state]
                for state, start, end in zip(states, edges[:-1], edges[1:], strict=True)
            )
            heard = sum(
                scores[found.start + start : found.start + end, graph.senones[state]].sum()
                for state, start, end in zip(states, edges[:-1], edges[1:], strict=True)
            )
            best = max(best, moves + heard)
    return best - frames * found.score
