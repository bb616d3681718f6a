import itertools

import numpy as np
import pytest

from extractors.sphinx_model import english_model
from extractors.word_path import PathWord, best_path, word_graph

MODEL = english_model()


def search(words, scores, filler, **options):
    graph = word_graph(pronunciations=words, model=MODEL)
    settings = {"skip_costs": (10.0, 5.0), "filler_costs": (5.0,)} | options
    return graph, best_path(graph=graph, scores=scores(graph), filler=filler[:, None], **settings)


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


def brute_force(graph, scores, filler, skip_costs, filler_costs):  # noqa: C901
    """Best total over all sequences of places, by plain recursion over frames."""
    words, states = len(graph.first), len(graph.senones)
    opening, each = skip_costs
    best = {("between", j): -opening - each * j if j else 0.0 for j in range(words + 1)}
    for frame in range(len(scores)):
        after: dict = {}

        def offer(place, value, after=after):
            after[place] = max(after.get(place, -np.inf), value)

        for (kind, at), value in best.items():
            if kind == "between":
                for kind in range(2):
                    entered = value - filler_costs[kind] + filler[frame, kind]
                    offer(("filler", (at, kind)), entered)
                if at < words:
                    for state in set(graph.first[at]):
                        offer(("state", state), value + scores[frame, graph.senones[state]])
            elif kind == "filler":
                offer(("filler", at), value + filler[frame, at[1]])
            else:
                score = scores[frame, graph.senones[at]]
                offer(("state", at), value + graph.stay[at] + score)
                if at + 1 < states and at not in graph.last:
                    score = scores[frame, graph.senones[at + 1]]
                    offer(("state", at + 1), value + graph.leave[at] + score)
        for (kind, at), value in list(after.items()):
            if kind == "filler":
                offer(("between", at[0]), value)
            elif kind == "state" and at in graph.last:
                word = int(np.flatnonzero((graph.last == at).any(axis=1))[0])
                offer(("between", word + 1), value + graph.leave[at])
        reached = {place: value for (kind, place), value in after.items() if kind == "between"}
        for j, value in reached.items():
            for k in range(j + 1, words + 1):
                offer(("between", k), value - opening - each * (k - j))
        best = after
    return best["between", words]


@pytest.mark.parametrize("seed", range(5))
def test_total_is_that_of_an_exhaustive_search(seed):
    rng = np.random.default_rng(seed)
    words = [[("K", "AE")], [("D", "AO", "G"), ("D", "AA")], [("S",)]]
    graph = word_graph(pronunciations=words, model=MODEL)
    scores = rng.normal(-3, 3, (24, len(graph.columns))).astype(np.float32)
    filler = rng.normal(-4, 2, (24, 2)).astype(np.float32)
    costs = {"skip_costs": (3.0, 1.0), "filler_costs": (2.0, 6.0)}
    path = best_path(graph=graph, scores=scores, filler=filler, **costs)
    total = 0.0
    frame = word = 0
    for found in [*path, PathWord(len(words), 24, 24, 0.0)]:
        skipped = found.word - word
        total -= (3.0 + skipped) if skipped else 0.0
        total += gap(filler[frame : found.start])
        if found.end > found.start:
            total += transitions(graph, found, scores) + (found.end - found.start) * found.score
        frame, word = found.end, found.word + 1
    assert total == pytest.approx(brute_force(graph, scores, filler, **costs), abs=1e-3)


def gap(filler):
    """Best total of frames of filler, whose kind may change."""
    best = np.zeros(1)
    for frame, scores in enumerate(filler):
        entered = best.max() - np.array([2.0, 6.0])
        best = (entered if frame == 0 else np.maximum(best, entered)) + scores
    return best.max()


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
