import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.words import Word
from pipeline.passages import (
    Passage,
    align_passages,
    passages_to_align,
    speaker_changes,
    spread_words,
)

TOKENS = st.lists(st.text("abcxyzäß漢'", min_size=1, max_size=12), min_size=1, max_size=30)
TIMES = st.lists(st.floats(0, 1e4), min_size=2, max_size=12, unique=True)


@st.composite
def spans(draw):
    """Disjoint spans in time order, some of them adjoining."""
    times = sorted(draw(TIMES))
    if draw(st.booleans()):
        return list(itertools.pairwise(times))
    return list(zip(times[0::2], times[1::2], strict=False))


@settings(max_examples=60, deadline=None)
@given(TOKENS, spans())
def test_words_are_spread_over_spans(tokens, spans):
    words = spread_words(tokens, spans)
    assert [word.text for word in words] == tokens
    assert {word.source for word in words} == {"interpolated"}
    edges = [edge for word in words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(any(a <= word.start <= b for a, b in spans) for word in words)
    assert all(any(a <= word.end <= b for a, b in spans) for word in words)
    assert words[0].start == spans[0][0]
    assert words[-1].end == pytest.approx(spans[-1][1], rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(TOKENS, spans())
def test_time_is_shared_by_letters(tokens, spans):
    words = spread_words(tokens, spans)
    total = sum(b - a for a, b in spans)
    letters = sum(len(token) + 1 for token in tokens)
    for word in words:
        spoken = sum(max(0.0, min(b, word.end) - max(a, word.start)) for a, b in spans)
        assert spoken == pytest.approx(total * (len(word.text) + 1) / letters, abs=1e-6)


def test_nothing_to_say():
    assert spread_words([], [(0.0, 1.0)]) == []


def passage(text, start=0.0, end=1.0, *, source=None, **more):
    tokens = tuple(text.split())
    words = ()
    if source:
        words = tuple(Word(text=t, start=start, end=end, source=source) for t in tokens)
    return Passage(start=start, end=end, tokens=tokens, words=words, **more)


@pytest.mark.parametrize(
    ("sources", "timed"),
    [
        (["given", "given"], True),
        (["aligned", "interpolated"], True),
        (["subtitle", "interpolated", "interpolated"], False),
        (["interpolated"], False),
        ([], False),
    ],
)
def test_words_that_are_shared_out_have_no_times_of_their_own(sources, timed):
    words = tuple(Word(text="a", start=0, end=1, source=source) for source in sources)
    made = Passage(start=0, end=1, tokens=("a",) * len(words), words=words)
    assert made.has_word_times is timed


@pytest.mark.parametrize("text", ["a", "a c", "a b c"])
def test_words_that_are_not_the_tokens(text):
    words = tuple(Word(text=token, start=0, end=1) for token in ("a", "b"))
    with pytest.raises(ValueError, match=r"passage at 0 s: 2 words for"):
        Passage(start=0, end=1, tokens=tuple(text.split()), words=words)


def test_passages_of_one_span_are_aligned_together():
    passages = [
        passage("a b", 0, 2),
        passage("c", 0, 2, events=("Music",)),
        passage("d", 2, 3, source="given"),
        passage("", 3, 4, events=("Music",)),
        passage("e", 4, 6),
    ]
    asked = [(span, [p.tokens for p in group]) for span, group in passages_to_align(passages)]
    assert asked == [((0, 2), [("a", "b"), ("c",)]), ((4, 6), [("e",)])]
    placed = align_passages(passages=passages, aligner=spread_words)
    assert [p.tokens for p in placed] == [p.tokens for p in passages]
    assert [(w.text, w.start, w.end) for p in placed for w in p.words] == [
        ("a", 0, pytest.approx(2 / 3)),
        ("b", pytest.approx(2 / 3), pytest.approx(4 / 3)),
        ("c", pytest.approx(4 / 3), 2),
        ("d", 2, 3),
        ("e", 4, 6),
    ]
    assert placed[1].events == placed[3].events == ("Music",)


def test_words_that_were_interpolated_can_be_aligned_later():
    once = align_passages(passages=[passage("a b", 0, 2)], aligner=spread_words)
    twice = align_passages(
        passages=once,
        aligner=lambda tokens, spans: [
            Word(text=token, start=spans[0][1], end=spans[0][1], source="aligned")
            for token in tokens
        ],
    )
    assert [(word.start, word.source) for word in twice[0].words] == [(2, "aligned")] * 2


@pytest.mark.parametrize(
    ("turns", "changes"),
    [
        # (speaker, whether the file says that it is a turn)
        ([(None, False), (None, False)], []),
        ([("Ann", False), ("Ann", False), ("Bo", False)], [2]),
        ([("Ann", True), (None, False), ("Ann", False)], []),
        ([("Ann", True), (None, True), ("Ann", False)], [1, 2]),
        ([("Ann", True), ("Ann", True)], []),
        ([(None, True), (None, True), (None, False), (None, True)], [1, 3]),
        ([(None, False), ("Ann", False)], [1]),
    ],
)
def test_speakers_change(turns, changes):
    passages = [
        passage("so", number, number + 0.5, source="given", speaker=speaker, is_turn=is_turn)
        for number, (speaker, is_turn) in enumerate(turns)
    ]
    assert speaker_changes(passages) == tuple(changes)


def test_a_speaker_who_says_nothing_changes_nothing():
    passages = [
        passage("so", 0, 1, source="given", speaker="Ann"),
        passage("", 1, 2, speaker="Bo", events=("laughs",)),
        passage("so", 2, 3, source="given", speaker="Ann"),
    ]
    assert speaker_changes(passages) == ()
