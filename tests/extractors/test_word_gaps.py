import itertools

from hypothesis import given
from hypothesis import strategies as st

from extractors.word_gaps import share_gaps
from extractors.words import Word


def test_words_share_a_gap_by_their_length():
    placed = {1: Word(text="b", start=2.0, end=3.0, confidence=0.5, source="aligned")}
    words = share_gaps(tokens=["a", "b", "cc", "d"], placed=placed, begin=1.0, end=8.0)
    assert [(w.text, w.start, w.end) for w in words] == [
        ("a", 1.0, 2.0),
        ("b", 2.0, 3.0),
        ("cc", 3.0, 6.0),
        ("d", 6.0, 8.0),
    ]
    assert [w.source for w in words] == ["interpolated", "aligned", "interpolated", "interpolated"]
    assert words[1] is placed[1]


def test_where_there_is_no_gap_they_take_no_time():
    placed = {
        0: Word(text="a", start=0.0, end=1.0),
        2: Word(text="c", start=1.0, end=2.0),
    }
    words = share_gaps(tokens=["a", "b", "c", "d"], placed=placed, begin=0.0, end=2.0)
    assert [(w.start, w.end) for w in words] == [(0, 1), (1, 1), (1, 2), (2, 2)]


def test_no_words():
    assert share_gaps(tokens=[], placed={}, begin=0.0, end=1.0) == []


@given(st.lists(st.text("ab", min_size=1), max_size=8), st.sets(st.integers(0, 7)))
def test_all_words_are_there_in_order(tokens, numbers):
    placed = {
        i: Word(text=tokens[i], start=i + 0.2, end=i + 0.7)
        for i in sorted(numbers)
        if i < len(tokens)
    }
    words = share_gaps(tokens=tokens, placed=placed, begin=0.0, end=9.0)
    assert [w.text for w in words] == tokens
    edges = [edge for w in words for edge in (w.start, w.end)]
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(edges))
    if tokens and not placed:
        assert edges[0] == 0
        assert abs(edges[-1] - 9) < 1e-9
