import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.ctc_path import SETTLED_FRAMES, best_states, find_words, least_frames

BLANK = 0


def heard(frames: int, labels: int, *, seed: int = 0) -> np.ndarray:
    scores = 2 * np.random.default_rng(seed).standard_normal((frames, labels))
    return (scores - np.log(np.exp(scores).sum(1, keepdims=True))).astype(np.float32)


def labels_of(states: np.ndarray, labels: list[int]) -> np.ndarray:
    return np.array([labels[s // 2] if s % 2 else BLANK for s in states])


def collapsed(path) -> list[int]:
    return [label for label, _ in itertools.groupby(path) if label != BLANK]


@settings(max_examples=40)
@given(st.integers(1, 7), st.lists(st.integers(1, 2), min_size=0, max_size=4), st.integers(0, 1000))
def test_no_other_way_is_likelier(frames, labels, seed):
    log_probabilities = heard(frames, 3, seed=seed)
    ways = [
        sum(float(log_probabilities[t, label]) for t, label in enumerate(way))
        for way in itertools.product(range(3), repeat=frames)
        if collapsed(way) == labels
    ]
    if not ways:
        assert frames < least_frames(labels)
        with pytest.raises(ValueError, match=f"need {least_frames(labels)} frames"):
            best_states(log_probabilities=log_probabilities, labels=labels, blank=BLANK)
        return
    states = best_states(log_probabilities=log_probabilities, labels=labels, blank=BLANK)
    path = labels_of(states, labels)
    assert collapsed(path) == labels
    assert log_probabilities[range(frames), path].sum() == pytest.approx(max(ways), abs=1e-4)


@settings(max_examples=30)
@given(st.integers(1, 6), st.lists(st.integers(1, 2), max_size=4), st.integers(0, 1000))
def test_with_an_open_end_the_likeliest_beginning_is_found(frames, labels, seed):
    log_probabilities = heard(frames, 3, seed=seed)
    beginnings = [labels[:n] for n in range(len(labels) + 1)]
    best = max(
        sum(float(log_probabilities[t, label]) for t, label in enumerate(way))
        for way in itertools.product(range(3), repeat=frames)
        if collapsed(way) in beginnings
    )
    states = best_states(
        log_probabilities=log_probabilities, labels=labels, blank=BLANK, open_end=True
    )
    path = labels_of(states, labels)
    assert log_probabilities[range(frames), path].sum() == pytest.approx(best, abs=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_path_is_torchaudios(seed):
    torchaudio = pytest.importorskip("torchaudio", exc_type=(ImportError, OSError))
    import torch

    labels = np.random.default_rng(seed).integers(1, 28, 60).tolist()
    log_probabilities = heard(300, 28, seed=seed)
    expected, _ = torchaudio.functional.forced_align(
        torch.from_numpy(log_probabilities)[None], torch.tensor([labels]), blank=BLANK
    )
    states = best_states(log_probabilities=log_probabilities, labels=labels, blank=BLANK)
    np.testing.assert_array_equal(labels_of(states, labels), expected[0].numpy())


def spoken(
    words: list[list[int]], starts: list[int], *, frames: int, delimiter: int | None = None
) -> np.ndarray:
    """Output of a model that is quite sure: a letter every third frame from each word's start."""
    probabilities = np.full((frames, 12), 0.01)
    sure = np.full(frames, BLANK)
    for word, start in zip(words, starts, strict=True):
        sure[start : start + 3 * len(word) : 3] = word
        if delimiter is not None:
            sure[min(start + 3 * len(word), frames - 1)] = delimiter
    probabilities[np.arange(frames), sure] = 0.89
    return np.log(probabilities).astype(np.float32)


def random_talk(*, words: int, seed: int) -> tuple[list[list[int]], list[int], int]:
    rng = np.random.default_rng(seed)
    spelled = [rng.integers(1, 10, rng.integers(1, 8)).tolist() for _ in range(words)]
    starts, now = [], 5
    for word in spelled:
        starts.append(now)
        now += 3 * len(word) + int(rng.integers(2, 20))
    return spelled, starts, now + 5


@pytest.mark.parametrize("delimiter", [None, 11])
@pytest.mark.parametrize("words", [1, 30, 700])
def test_words_are_found_where_they_are(delimiter, words):
    spelled, starts, frames = random_talk(words=words, seed=words)
    output = spoken(spelled, starts, frames=frames, delimiter=delimiter)
    found = list(
        find_words(log_probabilities=output, words=spelled, blank=BLANK, delimiter=delimiter)
    )
    assert [one.word for one in found] == list(range(words))
    assert [one.start for one in found] == starts
    ends = [start + 3 * len(word) - 2 for word, start in zip(spelled, starts, strict=True)]
    assert [one.end for one in found] == ends
    assert [one.confidence for one in found] == pytest.approx([0.89] * words, abs=1e-4)


def test_a_long_silence_between_words_is_waited_for():
    spelled, starts = [[1, 2], [3, 4], [5]], [10, 4 * SETTLED_FRAMES, 4 * SETTLED_FRAMES + 50]
    output = spoken(spelled, starts, frames=4 * SETTLED_FRAMES + 100)
    found = list(find_words(log_probabilities=output, words=spelled, blank=BLANK))
    assert [one.start for one in found] == starts


def test_a_word_that_is_not_said_is_not_believed():
    spelled, starts, frames = random_talk(words=20, seed=5)
    output = spoken(spelled, starts, frames=frames)
    lie = [*spelled[:10], [9, 1, 9, 1], *spelled[10:]]
    found = list(find_words(log_probabilities=output, words=lie, blank=BLANK))
    confidence = {one.word: one.confidence for one in found}
    assert confidence.pop(10) < 0.3
    assert min(confidence.values()) > 0.5


def test_more_text_than_sound():
    found = list(find_words(log_probabilities=heard(10, 12), words=[[1, 2, 3]] * 9, blank=BLANK))
    assert len(found) < 9
    assert [one.word for one in found] == list(range(len(found)))


def test_nothing_to_find():
    assert list(find_words(log_probabilities=heard(9, 3), words=[], blank=BLANK)) == []
    assert list(find_words(log_probabilities=heard(0, 3), words=[[1]], blank=BLANK)) == []
