import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.word_pieces import context_windows, spread_over_pieces


def test_a_word_of_one_piece_keeps_its_span():
    times = spread_over_pieces(
        word_spans=np.array([[0.1, 0.5], [0.7, 0.9]]), word_of_piece=np.array([0, 1])
    )
    np.testing.assert_array_equal(times, [[0.1, 0.5], [0.7, 0.9]])


def test_a_span_is_split_evenly_and_a_word_without_pieces_is_passed_over():
    times = spread_over_pieces(
        word_spans=np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 5.0]]),
        word_of_piece=np.array([0, 2, 2, 2]),
    )
    np.testing.assert_allclose(times, [[0, 1], [2, 3], [3, 4], [4, 5]])


def test_pieces_of_overlapping_words_start_in_order():
    times = spread_over_pieces(
        word_spans=np.array([[0.0, 1.0], [0.2, 0.4]]), word_of_piece=np.array([0, 0, 1])
    )
    np.testing.assert_allclose(times, [[0, 0.5], [0.5, 1.0], [0.5, 0.5]])


def test_no_pieces():
    times = spread_over_pieces(word_spans=np.array([[0.0, 1.0]]), word_of_piece=np.zeros(0, int))
    assert times.shape == (0, 2)


@given(
    lengths=st.lists(st.floats(0, 10), min_size=1, max_size=20),
    counts=st.lists(st.integers(0, 5), min_size=20, max_size=20),
)
def test_the_pieces_of_a_word_fill_its_span(lengths, counts):
    ends = np.cumsum(lengths)
    spans = np.column_stack([ends - lengths, ends]).clip(0)
    words = np.repeat(np.arange(len(lengths)), counts[: len(lengths)])
    times = spread_over_pieces(word_spans=spans, word_of_piece=words)
    assert (np.diff(times[:, 0]) >= 0).all()
    assert (times[:, 1] >= times[:, 0]).all()
    for word in np.unique(words):
        mine = times[words == word]
        np.testing.assert_allclose(mine[0, 0], spans[word, 0], atol=1e-9)
        np.testing.assert_allclose(mine[-1, 1], spans[word, 1], atol=1e-9)
        np.testing.assert_allclose(mine[1:, 0], mine[:-1, 1], atol=1e-9)


@given(
    pieces=st.integers(0, 300), size=st.integers(1, 60), share=st.floats(0.01, 1.0), data=st.data()
)
def test_every_piece_is_kept_once_from_the_window_with_most_context(pieces, size, share, data):
    windows = context_windows(pieces=pieces, size=size, stride=max(1, int(size * share)))
    kept = [i for w in windows for i in range(w.keep_start, w.keep_end)]
    assert kept == list(range(pieces))
    for w in windows:
        assert w.start <= w.keep_start <= w.keep_end <= w.end
        assert w.end - w.start == min(size, pieces)
    if not pieces:
        return

    def margin(window, piece):
        left = piece - window.start if window.start else pieces
        right = window.end - 1 - piece if window.end < pieces else pieces
        return min(left, right)

    piece = data.draw(st.integers(0, pieces - 1))
    chosen = next(w for w in windows if w.keep_start <= piece < w.keep_end)
    reading = [w for w in windows if w.start <= piece < w.end]
    assert margin(chosen, piece) >= max(margin(w, piece) for w in reading) - 1


def test_a_text_of_one_window_is_read_at_once():
    assert context_windows(pieces=7, size=10, stride=4) == ((0, 7, 0, 7),)


@pytest.mark.parametrize("stride", [0, 11])
def test_a_stride_that_leaves_gaps_is_refused(stride):
    with pytest.raises(ValueError, match=r"stride must be in \[1, 10\]"):
        context_windows(pieces=7, size=10, stride=stride)
