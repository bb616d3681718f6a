import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.repair_log import RepairLog
from pipeline.word_json import read_word_json

SAMPLES = Path(__file__).parent / "transcript_samples"


def read(content, *, duration=100.0):
    log = RepairLog(Path("a.json"))
    text = content if isinstance(content, str) else json.dumps(content, indent=1)
    passages = read_word_json(text=text, duration=duration, log=log)
    return passages, [repair.code for repair in log.repairs()]


def words(passages):
    return [(w.text, w.start, w.end, w.source, w.confidence) for p in passages for w in p.words]


def test_a_sample_of_json3():
    passages, codes = read((SAMPLES / "captions.json3").read_text())
    assert words(passages) == [
        ("this", 0.16, 0.4, "subtitle", None),
        ("kettle", 0.4, 0.8, "subtitle", None),
        ("whistles", 0.8, 2.399, "subtitle", None),
        ("and", 2.399, 2.56, "subtitle", None),
        ("it", 2.56, pytest.approx(2.8), "subtitle", None),
        ("leaks", pytest.approx(2.8), pytest.approx(4.309), "subtitle", None),
    ]
    assert [(p.line, p.events) for p in passages] == [(6, ()), (10, ()), (13, ("Music",))]
    assert codes == []


def test_a_sample_of_whisper():
    passages, codes = read((SAMPLES / "whisper.json").read_text())
    assert words(passages) == [
        ("This", 0.2, 0.44, "recognised", 0.75),
        ("kettle", 0.44, 0.9, "recognised", 0.5),
        ("whistles.", 1.0, 2.2, "recognised", 1.0),
    ]
    assert [(p.span, p.tokens, p.has_word_times) for p in passages] == [
        ((0.2, 2.2), ("This", "kettle", "whistles."), True),
        ((2.4, 4.4), ("And", "it", "leaks!"), False),
    ]
    assert codes == []


def test_a_sample_of_whisperx():
    """A number without times lies between its neighbours, and words do not overlap."""
    ((passage,), codes) = read((SAMPLES / "whisperx.json").read_text())
    assert passage.speaker == "SPEAKER_01"
    assert words([passage]) == [
        ("In", 0.2, 0.4, "aligned", 0.9),
        ("2014", 0.4, 1.2, "interpolated", None),
        ("this", 1.2, 1.5, "aligned", 0.25),
        ("leaked,", 1.5, 2.0, "aligned", 1.0),
        ("we", 2.0, 2.3, "aligned", 0.5),
        ("said", 2.3, 3.1, "aligned", 0.5),
    ]
    assert passage.has_word_times
    assert codes == ["overlap"]


def event(start, duration, *parts):
    segs = [part if isinstance(part, dict) else {"utf8": part} for part in parts]
    return {"tStartMs": start, "dDurationMs": duration, "segs": segs}


def test_hand_made_captions_in_json3_time_lines():
    passages, _ = read({"events": [event(1000, 2000, "- Hi, &amp;\n- Ho"), event(3000, 500, "so")]})
    assert [(p.span, p.tokens, p.words, p.is_turn) for p in passages] == [
        ((1, 3), ("Hi,", "&amp;"), (), True),
        ((1, 3), ("Ho",), (), True),
        ((3, 3.5), ("so",), (), False),
    ]


def test_a_single_word_among_timed_ones_is_timed():
    content = {
        "events": [
            event(0, 3000, "so", {"utf8": " what", "tOffsetMs": 500}),
            event(2000, 3000, "well"),
        ]
    }
    assert [w[:4] for w in words(read(content)[0])] == [
        ("so", 0.0, 0.5, "subtitle"),
        ("what", 0.5, 2.0, "subtitle"),
        ("well", 2.0, 5.0, "subtitle"),
    ]


def segment(start, end, *said, **more):
    keys = ("word", "start", "end")
    return {
        "start": start,
        "end": end,
        "words": [dict(zip(keys, w, strict=False)) for w in said],
    } | more


def test_words_of_other_writers():
    said = {"text": "so", "start": 1.0, "end": 2.0, "confidence": 0.5}
    passages, _ = read({"segments": [{"start": 1, "end": 2, "words": [said]}]})
    assert words(passages) == [("so", 1.0, 2.0, "recognised", 0.5)]


@pytest.mark.parametrize("confidence", [None, "high", 1.5, -0.1, True, float("nan")])
def test_a_confidence_that_is_none(confidence):
    said = {"word": "so", "start": 1.0, "end": 2.0, "probability": confidence}
    passages, _ = read({"segments": [{"start": 1, "end": 2, "words": [said]}]})
    assert words(passages) == [("so", 1.0, 2.0, "recognised", None)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([("a",), ("b",)], []),
        ([("a",), ("b", 2.0, 3.0)], [("a", 1.0, 2.0), ("b", 2.0, 3.0)]),
        ([("a", 1.5), ("b", 2.0, 3.0)], [("a", 1.5, 2.0), ("b", 2.0, 3.0)]),
        ([("a", 1.5, 2.0), ("b",)], [("a", 1.5, 2.0), ("b", 2.0, 4.0)]),
        ([("a", 0.5, 5.0)], [("a", 0.5, 5.0)]),
        ([(" ", 1.5, 2.0), ("a", 2.0, 3.0)], [("a", 2.0, 3.0)]),
        ([("a", 2.0, 3.0), (" !", 3.0, 3.1)], [("a!", 2.0, 3.0)]),
        ([("你好", 2.0, 3.0), ("世界", 3.0, 3.5)], [("你好", 2.0, 3.0), ("世界", 3.0, 3.5)]),
        ([("a", 1.5, 3.0), ("b", 2.0, 3.0)], [("a", 1.5, 2.0), ("b", 2.0, 3.0)]),
    ],
)
def test_words_some_of_which_lack_times(said, expected):
    passages, _ = read({"segments": [segment(1.0, 4.0, *said)]})
    found = [w[:3] for w in words(passages)]
    assert found == expected if expected else not passages[0].has_word_times


def test_a_segment_without_times_of_its_own_has_those_of_its_words():
    passages, _ = read({"segments": [segment(None, None, ("a", 1.5, 2.0), ("b", 2.0, 2.5))]})
    assert passages[0].span == (1.5, 2.5)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "line 1: is not JSON"),
        ('{"segments": [\n{"start": 0,}]}', "line 2: is not JSON"),
        ("[" * 100_000, "line 1: is not JSON"),
        ("[]", "line 1: holds neither YouTube's"),
        ("3", "line 1: holds neither"),
        ('{"segments": {}}', "line 1: holds neither"),
        ('{"segments": [\n\n3]}', "line 3: 3 is not an object"),
        ('{"segments": [\n{"text": "a"}]}', "line 2: has no 'start'; there is text"),
        ('{"segments": [{"text": "a", "start": 1}]}', "line 1: has no 'end'"),
        ('{"segments": [\n{"text": "a",\n"start": NaN, "end": 2}]}', "line 2: 'start' is nan"),
        ('{"segments": [{"text": "a", "start": 1, "end": Infinity}]}', "line 1: 'end' is inf"),
        ('{"segments": [{"text": "a", "start": 1' + "0" * 400 + "}]}", "line 1: 'start' is 10"),
        ('{"segments": [{"text": "a", "start": 1' + "0" * 5000 + "}]}", "line 1: is not JSON"),
        ('{"segments": [{"text": "a", "start": "1", "end": 2}]}', "line 1: 'start' is '1', not"),
        ('{"segments": [{"text": "a", "start": true, "end": 2}]}', "line 1: 'start' is True"),
        ('{"segments": [{"text": 3, "start": 1, "end": 2}]}', "line 1: 'text' is 3, not a text"),
        ('{"segments": [{"words": 3, "start": 1, "end": 2}]}', "line 1: 'words' is 3, not a list"),
        ('{"segments": [{"text": "a", "start": 2, "end": 1}]}', "line 1: ends at 1.000 s before"),
        ('{"segments": [{}, {"words": [{"word": 1}]}]}', "line 1: "),
        ('{"events": [\n{"segs": [{"utf8": "a"}]}]}', "line 2: has no 'tStartMs'"),
        ('{"events": [{"tStartMs": 200000, "segs": [{"utf8": "a"}]}]}', "line 1: begins at 200.00"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(content, told):
    with pytest.raises(SourceError, match=rf"a\.json, {told}"):
        read(content)


def test_words_that_go_back_are_refused():
    content = {"segments": [segment(0, 9, ("a", 1, 2), ("b", 5, 6), ("c", 3, 4))]}
    with pytest.raises(
        SourceError, match=r"the word 'c' begins at 3\.0 s, before the word in front"
    ):
        read(content)


TEXTS = st.text(max_size=8) | st.just('"segments": [{') | st.just("\n")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=6), st.sampled_from([None, 1])
)
def test_lines_are_counted_whatever_is_written(texts, indent):
    """The one bad member is found in its line, in whatever layout and behind whatever text."""
    members = [{"text": text, "start": 0, "end": 1, "x": [{}] * more} for text, more in texts]
    content = {"segment": members, "text": '"segments": [1]', "segments": [*members, {"bad": 1}]}
    text = json.dumps(content, indent=indent)
    line = text[: text.index('"bad"')].count("\n") + (1 if indent is None else 0)
    with pytest.raises(SourceError, match=rf"line {line}: has no 'start'"):
        read(text)


ODD = st.none() | st.booleans() | st.floats() | st.integers(-5, 9000) | st.text(max_size=5)
WORDS = st.dictionaries(st.sampled_from(["word", "start", "end", "score", "text"]), ODD)
SEGMENTS = st.dictionaries(
    st.sampled_from(["start", "end", "text", "speaker", "words"]), ODD | st.lists(WORDS, max_size=3)
)
EVENTS = st.dictionaries(
    st.sampled_from(["tStartMs", "dDurationMs", "segs"]),
    ODD | st.lists(st.dictionaries(st.sampled_from(["utf8", "tOffsetMs"]), ODD), max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["segments", "events"]), st.lists(ODD | SEGMENTS | EVENTS, max_size=3) | ODD)
def test_any_json_is_read_or_refused(kind, content):
    try:
        passages, _ = read({kind: content})
    except SourceError as error:
        assert str(error).startswith("a.json, line")  # noqa: PT017
    else:
        assert all(0 <= passage.start <= passage.end <= 100 for passage in passages)
