from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.passages import align_passages, spread_words
from pipeline.repair_log import RepairLog
from pipeline.subtitles import read_subtitles

SAMPLES = Path(__file__).parent / "transcript_samples"


def read(text, *, name="a.srt", duration=4000.0):
    log = RepairLog(Path(name))
    passages = read_subtitles(text=text, duration=duration, log=log)
    return passages, [repair.code for repair in log.repairs()]


def said(text, **more):
    return [" ".join(passage.tokens) for passage in read(text, **more)[0]]


@pytest.mark.parametrize("name", ["lines.srt", "lines.vtt"])
def test_spans_are_those_that_ffmpeg_reads(name):
    passages, _ = read((SAMPLES / name).read_text())
    with av.open(SAMPLES / name) as container:
        packets = [packet for packet in container.demux() if packet.size]
    expected = [(packet.pts / 1000, (packet.pts + packet.duration) / 1000) for packet in packets]
    assert sorted({passage.span for passage in passages}) == expected


def test_a_sample_of_srt():
    passages, codes = read((SAMPLES / "lines.srt").read_text())
    told = [(p.span, " ".join(p.tokens), p.speaker, p.is_turn, p.events, p.line) for p in passages]
    assert told == [
        ((0.5, 2.0), "I bought this kettle in March.", None, False, (), 2),
        ((2.2, 4.0), "Was it cheap?", None, True, (), 7),
        ((2.2, 4.0), "It was!", None, True, (), 7),
        ((4.0, 5.5), "", None, False, ("Music",), 12),
        ((4.0, 5.5), "It leaks, & badly", "PAUL", True, ("laughs",), 12),
    ]
    assert codes == []


def test_a_sample_of_vtt():
    passages, codes = read((SAMPLES / "lines.vtt").read_text())
    assert [(p.span, " ".join(p.tokens), p.speaker) for p in passages] == [
        ((0.5, 2.0), "I bought this kettle in March.", "Mary"),
        ((2.2, 4.0), "Was it cheap?", "Paul"),
        ((3604.0, 3605.5), "It leaks", None),
    ]
    # the times inside the last line are from elsewhere
    assert codes == ["word_times"]


def test_a_sample_of_captions_that_roll():
    passages, codes = read((SAMPLES / "words.vtt").read_text())
    words = [(w.text, w.start, w.end) for passage in passages for w in passage.words]
    assert words == [
        ("this", 0.16, 0.4),
        ("kettle", 0.4, 0.8),
        ("whistles", 0.8, 2.389),
        ("and", 2.399, 2.56),
        ("it", 2.56, 2.8),
        ("leaks", 2.8, 4.309),
        ("badly", 4.319, 6.0),
    ]
    assert [(p.is_turn, p.events) for p in passages][-2:] == [(True, ()), (False, ("Music",))]
    assert codes == ["repeated_lines"]


def rolling(lines, *, has_tags, opens):
    """Captions as YouTube rolls them: each line once as it is said, and once more above the next.

    Every line takes 2 s and its words share them; between two lines the older stands alone for
    10 ms.
    """
    text, above = "WEBVTT\n\n", " "
    for number, line in enumerate(lines):
        start = 2 * number
        starts = [start + 1.9 * n / len(line) for n in range(len(line))]
        said = " ".join(line)
        if has_tags:
            tags = [f"<{clock(at)}><c> {word}</c>" for at, word in zip(starts, line, strict=True)]
            said = "".join(tags if opens else [line[0], *tags[1:]])
        text += f"{clock(start)} --> {clock(start + 1.99)}\n{above}\n{said}\n\n"
        above = " ".join(line)
        text += f"{clock(start + 1.99)} --> {clock(start + 2)}\n{above}\n \n\n"
    return text


def clock(seconds):
    return f"00:{int(seconds) // 60:02d}:{seconds % 60:06.3f}"


WORDS = st.lists(st.sampled_from(["it", "leaks", "so"]), min_size=1, max_size=4)
SOUND = ["[Music]"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(WORDS | st.just(SOUND), min_size=2, max_size=10).filter(lambda x: x.count(SOUND) < 3),
    st.sampled_from([(False, False), (True, False), (True, True)]),
)
def test_captions_that_roll_say_every_word_once(lines, tags):
    """Also where somebody says the same line again, and with sounds in between."""
    has_tags, opens = tags
    passages, _ = read(rolling(lines, has_tags=has_tags, opens=opens), name="a.vtt")
    tokens = [token for passage in passages for token in passage.tokens]
    assert tokens == [word for line in lines for word in line if line != SOUND]
    if any(len(line) > 1 for line in lines) and has_tags:
        starts = [round(word.start, 3) for passage in passages for word in passage.words]
        assert starts == [
            round(2 * number + 1.9 * n / len(line), 3)
            for number, line in enumerate(lines)
            for n in range(len(line))
            if line != SOUND
        ]


def cue(arrow, text="so"):
    return f"1\n{arrow}\n{text}\n"


@pytest.mark.parametrize(
    ("arrow", "span"),
    [
        ("00:00:01,000 --> 00:00:02,000", (1.0, 2.0)),
        ("00:00:01.000 --> 00:00:02.000", (1.0, 2.0)),
        ("0:0:1,5 --> 0:0:2,25", (1.5, 2.25)),
        ("00:01.000 --> 00:02.000", (1.0, 2.0)),
        ("  01:00:00,5-->01:00:01,000  X1:1", (3600.5, 3601.0)),
        ("00:59:59.999 --> 1000:00:00.000 line:0", (3599.999, 4000.0)),
        ("-00:00:01,000 --> 00:00:02,000", (0.0, 2.0)),
    ],
)
@pytest.mark.parametrize("head", ["", "WEBVTT\n\n"])
def test_times(arrow, span, head):
    ((passage,), _) = read(head + cue(arrow))
    assert passage.span == pytest.approx(span)


@pytest.mark.parametrize(
    "arrow",
    [
        "5 --> 6",
        "a --> b",
        " --> ",
        "-->",
        "00:00:05 --> 00:00:06",
        "00:00:60,000 --> 00:02:00,000",
        "00:60:00,000 --> 01:00:01,000",
        "00:00:05,0000 --> 00:00:06,000",
        "00:00:05,000 -> 00:00:06,000 -->",
        "00:00:05,000 --> 00:00:06,000x",
        "--00:00:05,000 --> 00:00:06,000",
        "00:00:05,000 --> 00:00:04,000",
    ],
)
@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_a_time_that_cannot_be_is_refused(arrow, name):
    text = cue("00:00:01,000 --> 00:00:02,000") + "\n" + cue(arrow)
    head = "WEBVTT\n\n" if name == "a.vtt" else "\n\n"
    with pytest.raises(SourceError, match=rf"{name}, line 8: ") as caught:
        read(head + text, name=name)
    assert caught.value.code == "bad_transcript"


@pytest.mark.parametrize("start", ["01:06:40,000", "99:00:00,000", "9999:00:00,000"])
def test_a_time_behind_the_clip_is_refused(start):
    with pytest.raises(SourceError, match=r"a\.srt, line 2: .*another clip's") as caught:
        read(cue(f"{start} --> 9999:00:01,000"))
    assert caught.value.code == "transcript_beyond_clip"


def test_numbers_of_subtitles_are_no_words():
    one, two = "00:00:01,000 --> 00:00:02,000", "00:00:02,000 --> 00:00:03,000"
    assert said(f"1\n{one}\n42\n2\n{two}\nthree\n3\n") == ["42", "three 3"]
    assert said(f"1\n{one}\nso\n\n \n2\n{two}\nwhat\n") == ["so", "what"]
    assert said(f"1\n{one}\n2\n{two}\nwhat\n") == ["what"]
    assert said(f"WEBVTT\n\n1\n{one}\nso\n2\n{two}\nwhat\n") == ["so", "what"]


def test_without_numbers_all_are_words():
    one, two = "00:00:01,000 --> 00:00:02,000", "00:00:02,000 --> 00:00:03,000"
    assert said(f"{one}\n42\n{two}\nthree\n") == ["42", "three"]


def test_text_with_blank_lines():
    one, two = "00:00:01,000 --> 00:00:02,000", "00:00:02,000 --> 00:00:03,000"
    assert said(f"1\n{one}\nso\n\nwhat\n\n2\n{two}\nno\n\nyes") == ["so what", "no yes"]
    passages, codes = read(f"WEBVTT\n\n{one}\nso\n\nlost\n\nNOTE x\n\nname\n{two}\nno\n\nlost too")
    assert [p.tokens for p in passages] == [("so",), ("no",)]
    assert codes == ["lost_text"]


def test_text_before_the_first_subtitle():
    passages, codes = read("A title\n\n" + cue("00:00:01,000 --> 00:00:02,000"))
    assert ([p.tokens for p in passages], codes) == ([("so",)], ["lost_text"])


def test_a_file_without_subtitles():
    with pytest.raises(SourceError, match=r"a\.srt, line 1: no line of the file holds a span"):
        read("Just words.\n")


def test_a_file_is_what_its_first_line_says():
    vtt = "WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000\nso\n\nNOTE this is no speech\n"
    assert said(vtt, name="a.srt") == ["so"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("<c.aligned.confidence-0870>a</c>", [("a", 1.0, 3.0, "aligned", 0.87)]),
        ("<c.confidence-1000.given>a</c><00:02.500>", [("a", 1.0, 2.5, "given", 1.0)]),
        ("<c.colorE5E5E5>a</c><00:02.000><c.colorCCCCCC> b</c>", [
            ("a", 1.0, 2.0, "subtitle", None), ("b", 2.0, 3.0, "subtitle", None)]),
        ("<c.aligned.confidence-2000>a</c>", [("a", 1.0, 3.0, "aligned", None)]),
        ("<c.interpolated>a</c> <00:02.000><c.aligned>b</c>", [
            ("a", 1.0, 2.0, "interpolated", None), ("b", 2.0, 3.0, "aligned", None)]),
        ("a <00:99.000>b <2>c", []),
        ("<c>a</c> <b>b</b>", []),
    ],
)  # fmt: skip
def test_times_inside_lines(line, expected):
    ((passage,), _) = read(f"WEBVTT\n\n00:01.000 --> 00:03.000\n{line}\n")
    told = [(w.text, w.start, w.end, w.source, w.confidence) for w in passage.words]
    assert told == expected


def test_words_of_a_line_share_its_span():
    passages, _ = read(cue("00:00:01,000 --> 00:00:02,000", "<i>Hi</i>, all\nof you"))
    (placed,) = align_passages(passages=passages, aligner=spread_words)
    # letters and a space for each of "Hi,", "all", "of" and "you": 4 + 4 + 3 + 4
    assert [word.start for word in placed.words] == pytest.approx(
        [1.0, 1 + 4 / 15, 1 + 8 / 15, 1 + 11 / 15]
    )
