import re
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors.words import TIME_SOURCES, Word
from pipeline.errors import DataError
from pipeline.repair_log import RepairLog
from pipeline.subtitle_writer import write_vtt
from pipeline.subtitles import read_subtitles
from pipeline.transcripts import words_of

# Nothing that is not seen, and at least one letter: what is left of words in any transcript.
SIGNS = st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Mn"])
TEXTS = (
    st.text(SIGNS, min_size=1, max_size=8)
    | st.text(st.sampled_from("ab<>&;[](){}*♪:-–»\\N#1{y"), min_size=1, max_size=12)
    | st.sampled_from(["-->", "00:00:01.000", ">>no", "MARY:", "[Music]", "&amp;", "42", "NOTE"])
).map(lambda text: f"{text}a")


@st.composite
def words(draw, texts=TEXTS):
    """Words in time order, in whole milliseconds, that may overlap."""
    lengths = st.sampled_from([0, 1, 40, 500, 2000])
    starts = st.lists(st.tuples(st.integers(0, 20_000), lengths), max_size=12)
    made = []
    for start, length in sorted(draw(starts)):
        sure = draw(st.none() | st.integers(0, 1000).map(lambda n: n / 1000))
        made.append(
            Word(
                text=draw(texts),
                start=start / 1000,
                end=(start + length) / 1000,
                confidence=sure,
                source=draw(st.sampled_from(TIME_SOURCES)),
            )
        )
    return made


def read(path):
    log = RepairLog(path)
    passages = read_subtitles(text=path.read_text(encoding="utf-8"), duration=1e5, log=log)
    assert log.repairs() == ()
    return list(words_of(passages))


# Finding the signs of all those categories for the first time takes a while.
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(words())
def test_what_is_written_is_read(tmp_path_factory, words):
    path = tmp_path_factory.mktemp("a") / "a.vtt"
    write_vtt(path, words)
    if not words:
        assert path.read_text() == "WEBVTT\n"
    else:
        assert read(path) == words


def test_ffmpeg_reads_it_too(tmp_path):
    said = [Word(text=f"n{n}&<", start=n * 0.7, end=n * 0.7 + n % 3 / 10) for n in range(50)]
    write_vtt(tmp_path / "a.vtt", said)
    with av.open(tmp_path / "a.vtt") as container:
        packets = [packet for packet in container.demux() if packet.size]
    text = b" ".join(map(bytes, packets)).decode()
    assert re.findall(r"<c\.given>(.*?)</c>", text) == [f"n{n}&amp;&lt;" for n in range(50)]
    starts = {round(word.start * 1000) for word in said}
    assert {packet.pts for packet in packets} <= starts


def test_what_is_written(tmp_path):
    said = [
        Word(text="It", start=0.5, end=1.0, source="aligned", confidence=0.8704),
        Word(text="leaks.", start=1.0, end=1.25, source="aligned"),
        Word(text="R&D:", start=1.25, end=1.5),
        Word(text="no", start=1.6, end=2.0, source="recognised", confidence=1.0),
        Word(text="so", start=3661.0004, end=3661.0004),
    ]
    write_vtt(tmp_path / "a.vtt", said)
    assert (tmp_path / "a.vtt").read_text() == (
        "WEBVTT\n\n"
        "00:00:00.500 --> 00:00:01.250\n"
        "<c.aligned.confidence-0870>It</c> <00:00:01.000><c.aligned>leaks.</c>\n\n"
        "00:00:01.250 --> 00:00:02.000\n"
        "<c.given>R&amp;D&#58;</c><00:00:01.500> "
        "<00:00:01.600><c.recognised.confidence-1000>no</c>\n\n"
        "01:01:01.000 --> 01:01:01.001\n"
        "<c.given>so</c><01:01:01.000>\n"
    )


def test_lines_are_no_longer_than_a_screen(tmp_path):
    said = [Word(text="kettle", start=n / 2, end=n / 2 + 0.5) for n in range(100)]
    write_vtt(tmp_path / "a.vtt", said)
    counts = [c.count("</c>") for c in (tmp_path / "a.vtt").read_text().split("\n\n")]
    assert max(counts) == 84 // len("kettle ")
    assert sum(counts) == 100


@pytest.mark.parametrize("text", ["New York", "so\n", "a\u3000b"])
def test_white_space_in_words_is_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"a\.vtt: the word '.*' at 1\.5 s holds white space"):
        write_vtt(tmp_path / "a.vtt", [Word(text=text, start=1.5, end=2.0)])
    assert list(Path(tmp_path).iterdir()) == []
