import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.transcripts import find_transcript, load_words, read_cues, spread_words

TOKENS = st.lists(st.text("abcxyzäß漢'", min_size=1, max_size=12), min_size=1, max_size=30)
TIMES = st.lists(st.floats(0, 1e4), min_size=2, max_size=12, unique=True)


@st.composite
def spans(draw):
    """Disjoint spans in time order, some of them adjoining."""
    times = sorted(draw(TIMES))
    if draw(st.booleans()):
        return list(itertools.pairwise(times))
    return list(zip(times[0::2], times[1::2], strict=False))


def load(path, content, *, duration=100.0, speech=()):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    words = load_words(path, duration=duration, speech=lambda: speech)
    return [(word.text, round(word.start, 3), round(word.end, 3)) for word in words]


@given(TOKENS, spans())
def test_plain_text_is_spread_over_speech(tokens, spans):
    words = spread_words(tokens, spans)
    assert [word.text for word in words] == tokens
    edges = [edge for word in words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(any(a <= word.start <= b for a, b in spans) for word in words)
    assert all(any(a <= word.end <= b for a, b in spans) for word in words)
    assert words[0].start == spans[0][0]
    assert words[-1].end == pytest.approx(spans[-1][1], rel=1e-9)


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


def test_plain_text_without_speech_takes_the_whole_clip(tmp_path):
    path = tmp_path / "a.txt"
    assert load(path, "one two\n", duration=4.0) == [("one", 0, 2), ("two", 2, 4)]


def test_plain_text_starts_with_the_speech(tmp_path):
    path = tmp_path / "a.txt"
    told = load(path, "one two", speech=[(1.0, 2.0), (5.0, 6.0)])
    assert told == [("one", 1, 2), ("two", 5, 6)]


def test_subtitles_do_not_ask_for_speech(tmp_path):
    def speech():
        raise AssertionError("asked for speech")

    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    assert len(load_words(path, duration=5.0, speech=speech)) == 1


SRT = """1
00:00:01,000 --> 00:00:02,000
<i>Hi</i>, all
of you

2
01:00:00,5 --> 01:00:01,000
{\\an8}The end
"""


def test_srt(tmp_path):
    told = load(tmp_path / "a.srt", SRT, duration=4000.0)
    assert told == [
        ("Hi,", 1.0, 1.267),
        ("all", 1.267, 1.533),
        ("of", 1.533, 1.733),
        ("you", 1.733, 2.0),
        ("The", 3600.5, 3600.75),
        ("end", 3600.75, 3601.0),
    ]


VTT = """WEBVTT - a title
Kind: captions

STYLE
::cue { color: red }

NOTE
This is a comment,
not speech.

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Ann>I <b>lov</b>ed it &amp; more</v>

NOTE one more

01:02:03.004 --> 01:02:04.000
<00:00:03.000><c>so</c><00:00:03.500><c> there</c>
"""


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_vtt(tmp_path, bom, newline):
    content = bom + VTT.replace("\n", newline).encode()
    told = load(tmp_path / "a.vtt", content, duration=4000.0)
    assert [text for text, *_ in told] == ["I", "loved", "it", "&", "more", "so", "there"]
    assert told[0][1] == 1.0
    assert told[4][2] == 2.5
    assert told[5][1] == 3723.004
    assert told[6][2] == 3724.0


def test_cues_out_of_order_are_sorted(tmp_path):
    text = "WEBVTT\n\n00:05.000 --> 00:06.000\nlater\n\n00:01.000 --> 00:02.000\nfirst\n"
    assert [word for word, *_ in load(tmp_path / "a.vtt", text)] == ["first", "later"]


def test_br_parts_words(tmp_path):
    text = "1\n00:00:01,000 --> 00:00:02,000\none<br>two<BR />three\n"
    assert [word for word, *_ in load(tmp_path / "a.srt", text)] == ["one", "two", "three"]


def test_the_last_cue_ends_with_the_clip(tmp_path):
    text = "1\n00:00:01,000 --> 00:00:09,000\nlong\n"
    assert load(tmp_path / "a.srt", text, duration=5.0) == [("long", 1.0, 5.0)]


@pytest.mark.parametrize(
    ("arrow", "code"),
    [
        ("00:00:05,000 --> 00:00:04,000", "bad_transcript"),
        ("00:00:05,000-->00:00:06,000", "bad_transcript"),
        ("5 --> 6", "bad_transcript"),
        ("a --> b", "bad_transcript"),
        ("00:00:05 --> 00:00:06", "bad_transcript"),
        (" --> ", "bad_transcript"),
        ("00:01:40,000 --> 00:01:41,000", "transcript_beyond_clip"),
        ("99:00:00,000 --> 99:00:01,000", "transcript_beyond_clip"),
    ],
)
@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_a_bad_line_is_named(tmp_path, arrow, code, name):
    text = f"1\n00:00:01,000 --> 00:00:02,000\nfine\n\n2\n{arrow}\nbad\n"
    with pytest.raises(SourceError, match=rf"{name}, line 6: ") as caught:
        load(tmp_path / name, text)
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["a.srt", "a.vtt", "a.txt"])
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_transcript"),
        (b" \n\n", "empty_transcript"),
        (b"caf\xe9", "bad_encoding"),
        ("WEBVTT".encode("utf-16"), "bad_encoding"),
    ],
)
def test_a_file_that_says_nothing_is_named(tmp_path, name, content, code):
    with pytest.raises(SourceError, match=name) as caught:
        load(tmp_path / name, content)
    assert caught.value.code == code


def test_subtitles_without_text_hold_no_words(tmp_path):
    with pytest.raises(SourceError, match=r"a\.vtt: holds no words"):
        load(tmp_path / "a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n<i></i>\n")


def test_a_folder_is_no_transcript(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(SourceError, match=r"a\.txt: cannot be read") as caught:
        load_words(tmp_path / "a.txt", duration=1.0, speech=tuple)
    assert caught.value.code == "unreadable"
    assert find_transcript(tmp_path / "a.mp4") is None


def test_the_best_transcript_beside_a_clip(tmp_path):
    clip = tmp_path / "talk.v2.mp4"
    assert find_transcript(clip) is None
    for suffix in (".txt", ".srt", ".vtt"):
        (tmp_path / "talk.srt").touch()
        path = tmp_path / f"talk.v2{suffix}"
        path.touch()
        assert find_transcript(clip) == path


@pytest.mark.parametrize("suffix", [".TXT", ".SRT", ".VTT"])
def test_capital_suffixes(tmp_path, suffix):
    path = tmp_path / f"TALK{suffix}"
    path.touch()
    assert find_transcript(tmp_path / "TALK.MP4") == path


@pytest.mark.parametrize("hours", ["9" * 400, "9" * 5000, "٣"])
def test_hours_that_no_clip_has_are_an_error_with_a_line(hours):
    line = f"{hours}:00:01,000 --> {hours}:00:02,000"
    with pytest.raises(SourceError, match="line 2"):
        read_cues(Path("a.srt"), f"1\n{line}\nwords\n")
