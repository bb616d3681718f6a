import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.words import Word
from pipeline.errors import ConfigError
from pipeline.segments import SegmentConfig, segment_speech, segment_words

CONFIG = SegmentConfig(pause=0.8, longest=5.0)
TEXTS = st.sampled_from(["so", "well.", "why?", 'no!"', "e.g", "3.5", "wait…", "好。"])


@st.composite
def words(draw):
    spoken, at = [], 0.0
    for text in draw(st.lists(TEXTS, max_size=40)):
        at += draw(st.sampled_from([0.0, 0.1, 0.5, 0.79, 0.81, 3.0]))
        length = draw(st.sampled_from([0.0, 0.002, 0.2, 0.6, 7.0]))
        spoken.append(Word(text=text, start=at, end=at + length))
        at += length
    return spoken


def said(*texts, step=0.3):
    return [Word(text=t, start=i * step, end=(i + 1) * step) for i, t in enumerate(texts)]


def texts(utterances):
    return [" ".join(word.text for word in utterance) for utterance in utterances]


@given(words())
def test_no_word_is_lost_or_stands_twice(words):
    utterances = segment_words(words=words, config=CONFIG)
    assert [word for utterance in utterances for word in utterance] == words
    assert all(utterances)


@given(words())
def test_every_utterance_keeps_the_rules(words):
    for utterance in segment_words(words=words, config=CONFIG):
        first, rest = utterance[0], utterance[1:]
        late = [word for word in rest if word.start - first.start >= 0.01]
        assert all(word.end - first.start <= CONFIG.longest for word in late)
        for before, word in zip(utterance, rest, strict=False):
            if word in late:
                assert word.start - before.end < CONFIG.pause
                assert before.text in {"so", "e.g", "3.5"}


@given(words())
def test_nothing_is_cut_without_a_reason(words):
    utterances = segment_words(words=words, config=CONFIG)
    for one, other in itertools.pairwise(utterances):
        assert (
            one[-1].text not in {"so", "e.g", "3.5"}
            or other[0].start - one[-1].end >= CONFIG.pause
            or other[0].end - one[0].start > CONFIG.longest
        )


@given(words())
def test_spans_differ_in_milliseconds(words):
    utterances = segment_words(words=words, config=CONFIG)
    starts = [f"{utterance[0].start:.3f}" for utterance in utterances]
    assert len(set(starts)) == len(starts)


def test_sentences():
    spoken = said("I", "liked", "it.", "Did", "you?", "(Yes!)", "fine")
    utterances = segment_words(words=spoken, config=CONFIG)
    assert texts(utterances) == ["I liked it.", "Did you?", "(Yes!)", "fine"]


@pytest.mark.parametrize(("gap", "parts"), [(0.5, 1), (0.75, 2), (1.0, 2)])
def test_a_pause_of_at_least_this_length_cuts(gap, parts):
    spoken = [Word(text="a", start=0, end=1), Word(text="b", start=1 + gap, end=2 + gap)]
    config = SegmentConfig(pause=0.75)
    assert len(segment_words(words=spoken, config=config)) == parts


def test_a_word_inside_a_longer_one_makes_no_pause():
    spoken = [
        Word(text="meanwhile", start=0.0, end=4.0),
        Word(text="yes", start=1.0, end=1.2),
        Word(text="right", start=3.0, end=3.2),
    ]
    assert len(segment_words(words=spoken, config=CONFIG)) == 1


def test_the_longest_cuts():
    utterances = segment_words(words=said(*"abcdef", step=1.0), config=SegmentConfig(longest=2.0))
    assert texts(utterances) == ["a b", "c d", "e f"]


def test_nothing_said():
    assert segment_words(words=[], config=CONFIG) == []


def test_speech_is_cut_at_its_pauses():
    spans = [(0.0, 1.0), (1.5, 2.0), (4.0, 5.0)]
    cut = segment_speech(spans=spans, duration=9.0, config=CONFIG)
    assert cut == [(0.0, 2.0), (4.0, 5.0)]


def test_a_silent_clip_is_cut_evenly():
    cut = segment_speech(spans=[], duration=12.0, config=CONFIG)
    assert cut == [(0.0, 4.0), (4.0, 8.0), (8.0, 12.0)]


@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=10, unique=True).map(sorted),
    st.floats(0.01, 5),
    st.floats(0.5, 100),
)
def test_speech_is_covered(times, pause, longest):
    spans = list(zip(times[0::2], times[1::2], strict=False))
    duration = times[-1] + 1
    config = SegmentConfig(pause=pause, longest=longest)
    cut = segment_speech(spans=spans, duration=duration, config=config)
    assert all(end - start <= longest * (1 + 1e-9) for start, end in cut)
    assert all(a[1] <= b[0] + 1e-9 for a, b in itertools.pairwise(cut))
    for start, end in spans or [(0.0, duration)]:
        inside = sum(max(0.0, min(end, b) - max(start, a)) for a, b in cut)
        assert math.isclose(inside, end - start, abs_tol=1e-6)


@pytest.mark.parametrize("bad", [{"pause": 0.0}, {"longest": -1.0}])
def test_lengths_are_positive(bad):
    with pytest.raises(ConfigError, match="must be positive"):
        SegmentConfig(**bad)
