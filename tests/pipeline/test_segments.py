import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.words import Word
from pipeline.errors import ConfigError
from pipeline.segments import SegmentConfig, segment_speech, segment_words, utterance_span

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


BARRIERS = st.lists(st.floats(0, 30), max_size=4)


@given(words(), BARRIERS)
def test_no_word_is_lost_or_stands_twice(words, barriers):
    utterances = segment_words(words=words, config=CONFIG, barriers=barriers)
    assert [word for utterance in utterances for word in utterance] == words
    assert all(utterances)


@given(words(), BARRIERS)
def test_every_utterance_keeps_the_bounds(words, barriers):
    for utterance in segment_words(words=words, config=CONFIG, barriers=barriers):
        first, rest = utterance[0], utterance[1:]
        late = [word for word in rest if word.start - first.start >= 0.01]
        assert all(word.end - first.start <= CONFIG.longest for word in late)
        for before, word in zip(utterance, rest, strict=False):
            if word in late:
                assert word.start - before.end < CONFIG.pause
                assert not any(middle(before) < barrier <= middle(word) for barrier in barriers)


@given(words(), BARRIERS)
def test_no_span_goes_across_a_barrier(words, barriers):
    for utterance in segment_words(words=words, config=CONFIG, barriers=barriers):
        late = [word for word in utterance if word.start - utterance[0].start >= 0.01]
        if late or len(utterance) == 1:
            start, end = utterance_span(words=utterance, barriers=barriers)
            assert start <= end
            assert not any(start < barrier < end for barrier in barriers)
            assert utterance[0].start <= start
            assert end <= max(word.end for word in utterance)


def middle(word):
    return (word.start + word.end) / 2


@given(words())
def test_nothing_is_cut_without_a_reason(words):
    utterances = segment_words(words=words, config=CONFIG)
    for one, other in itertools.pairwise(utterances):
        assert (
            one[-1].text not in {"so", "e.g", "3.5"}
            or other[0].start - one[-1].end >= CONFIG.pause
            or other[-1].end - one[0].start > CONFIG.longest
        )


@given(words())
def test_what_is_too_short_stays_so_for_a_reason(words):
    """Between neighbours of which one is too short is a rule, or a sentence would be broken."""
    utterances = segment_words(words=words, config=CONFIG)
    for one, other in itertools.pairwise(utterances):
        if min(length(one), length(other)) < CONFIG.shortest:
            assert (
                other[0].start - one[-1].end >= CONFIG.pause or length(one + other) > CONFIG.longest
            )


def length(utterance):
    return max(word.end for word in utterance) - utterance[0].start


@st.composite
def short_texts(draw):
    """At most nine words, whose gaps and lengths are all in tenths of a second."""
    spoken, at = [], 0
    for text in draw(st.lists(st.sampled_from(["so", "and", "well.", "why?"]), max_size=9)):
        at += draw(st.sampled_from([1, 2, 3, 9]))
        ends = at + draw(st.sampled_from([1, 4, 15]))
        spoken.append(Word(text=text, start=at / 10, end=ends / 10))
        at = ends
    return spoken


def badness(utterances, config):
    """What the documentation promises, counted in the plainest way."""
    broken = short = joined = 0
    for number, utterance in enumerate(utterances):
        after = utterances[number + 1 : number + 2]
        if after and after[0][0].start - utterance[-1].end < config.pause:
            broken += not utterance[-1].text.endswith((".", "?"))
        short += length(utterance) < config.shortest
        joined += sum(word.text.endswith((".", "?")) for word in utterance[:-1])
        inside = itertools.pairwise(utterance)
        if any(b.start - a.end >= config.pause for a, b in inside):
            return None
        if len(utterance) > 1 and length(utterance) > config.longest:
            return None
    return broken, short, joined


@given(short_texts())
def test_no_other_cut_is_better(words):
    config = SegmentConfig(pause=0.8, longest=3.0, shortest=1.0)
    found = badness(segment_words(words=words, config=config), config)
    inner = range(1, len(words))
    for count in range(len(words)):
        for cuts in itertools.combinations(inner, count):
            edges = itertools.pairwise([0, *cuts, len(words)])
            other = badness([words[a:b] for a, b in edges], config)
            assert other is None or found <= other


@given(words())
def test_spans_differ_in_milliseconds(words):
    utterances = segment_words(words=words, config=CONFIG)
    starts = [f"{utterance[0].start:.3f}" for utterance in utterances]
    assert len(set(starts)) == len(starts)


def test_sentences():
    spoken = said("I", "liked", "it.", "Did", "you?", "(Yes!)", "fine")
    utterances = segment_words(words=spoken, config=SegmentConfig(shortest=0.0))
    assert texts(utterances) == ["I liked it.", "Did you?", "(Yes!)", "fine"]


def test_sentences_that_are_too_short_join_their_neighbours():
    spoken = said("I", "liked", "it", "much.", "Yes.", "Did", "you", "like", "it?")
    utterances = segment_words(words=spoken, config=SegmentConfig(shortest=1.0))
    assert [len(utterance) for utterance in utterances] in ([5, 4], [4, 5])
    assert texts(segment_words(words=spoken, config=SegmentConfig(shortest=0.2)))[1] == "Yes."


def test_a_short_sentence_joins_the_nearer_one():
    times = [(0.0, 2.0), (2.6, 2.9), (3.0, 5.0)]
    spoken = [
        Word(text=f"{number}.", start=start, end=end) for number, (start, end) in enumerate(times)
    ]
    assert texts(segment_words(words=spoken, config=CONFIG)) == ["0.", "1. 2."]


def test_a_short_sentence_between_pauses_stays_alone():
    times = [(0.0, 2.0), (3.0, 3.3), (4.3, 6.0)]
    spoken = [Word(text="well", start=start, end=end) for start, end in times]
    assert len(segment_words(words=spoken, config=CONFIG)) == 3


def test_a_long_sentence_is_cut_where_its_words_are_furthest_apart():
    spoken = said("one", "two", "three", "four", "five", "six", step=1.0)
    late = [Word(text=w.text, start=w.start + 0.4, end=w.end + 0.4) for w in spoken[4:]]
    config = SegmentConfig(longest=5.0)
    utterances = segment_words(words=[*spoken[:4], *late], config=config)
    assert texts(utterances) == ["one two three four", "five six"]
    assert texts(segment_words(words=spoken, config=config)) == ["one two three", "four five six"]


@pytest.mark.parametrize("text", ["Mr.", "e.g.", "(U.S.", "etc."])
def test_an_abbreviation_ends_no_sentence(text):
    utterances = segment_words(words=said("So", text, "Smith"), config=SegmentConfig(shortest=0))
    assert len(utterances) == 1


@pytest.mark.parametrize("text", ["I.", "(I.)", '"I."', "so.", "no?”"])
def test_what_ends_a_sentence(text):
    utterances = segment_words(words=said("Nor", text, "Smith"), config=SegmentConfig(shortest=0))
    assert texts(utterances) == [f"Nor {text}", "Smith"]


def test_another_speaker_begins_another_utterance():
    spoken = said("a", "b", "c", "d", step=1.0)
    assert texts(segment_words(words=spoken, config=CONFIG, barriers=[2.1])) == ["a b", "c d"]
    assert texts(segment_words(words=spoken, config=CONFIG, barriers=[2.6])) == ["a b c", "d"]
    assert utterance_span(words=spoken[:3], barriers=[2.6]) == (0.0, 2.6)
    assert utterance_span(words=spoken[2:], barriers=[2.1]) == (2.1, 4.0)


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


def test_speech_is_cut_where_another_begins():
    cut = segment_speech(spans=[(1.0, 4.0)], duration=9.0, config=CONFIG, barriers=[3.0, 1.0, 7.0])
    assert cut == [(1.0, 3.0), (3.0, 4.0)]


@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=10, unique=True).map(sorted),
    st.floats(0.01, 5),
    st.floats(0.5, 100),
)
def test_speech_is_covered(times, pause, longest):
    spans = list(zip(times[0::2], times[1::2], strict=False))
    duration = times[-1] + 1
    config = SegmentConfig(pause=pause, longest=longest, shortest=0.0)
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


@pytest.mark.parametrize("bad", [{"shortest": -0.1}, {"shortest": 15.0}, {"longest": 0.5}])
def test_the_shortest_is_below_the_longest(bad):
    with pytest.raises(ConfigError, match="less than longest"):
        SegmentConfig(**bad)
