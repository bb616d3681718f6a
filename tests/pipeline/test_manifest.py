import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors.words import Word
from pipeline.errors import StoreError
from pipeline.manifest import read_manifest, write_manifest
from pipeline.records import Clip, Failure, Segment, SpeechSpans, Transcript

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SECONDS = st.floats(0, 1e6)


@st.composite
def clips(draw):
    return Clip(
        id=draw(st.text("0123456789abcdef", min_size=64, max_size=64)),
        path=draw(TEXT),
        duration=draw(st.floats(1e-3, 1e6)),
        fps=draw(st.none() | st.floats(1, 240)),
        sample_rate=draw(st.none() | st.integers(8000, 192000)),
        size=draw(st.integers(0, 2**50)),
        modified_ns=draw(st.integers(0, 2**62)),
    )


@st.composite
def transcripts(draw):
    text = draw(st.lists(TEXT.filter(str.strip), max_size=4))
    starts = sorted(draw(st.lists(SECONDS, min_size=len(text), max_size=len(text))))
    words = tuple(Word(text=t, start=s, end=s) for t, s in zip(text, starts, strict=True))
    return Transcript(clip_id=draw(TEXT), path=draw(TEXT), digest="d", words=words)


RECORDS = {
    Clip: clips(),
    Transcript: transcripts(),
    SpeechSpans: st.builds(
        SpeechSpans,
        clip_id=TEXT,
        spans=st.lists(st.tuples(SECONDS, SECONDS), max_size=3).map(tuple),
    ),
    Segment: st.builds(
        Segment,
        id=TEXT,
        clip_id=TEXT,
        start=st.floats(0, 10),
        end=st.floats(11, 20),
        text=TEXT,
        label=st.none() | st.floats(-3, 3),
    ),
    Failure: st.builds(Failure, item=TEXT, step=TEXT, code=TEXT, detail=TEXT, clip_id=st.none()),
}


@pytest.mark.parametrize("kind", RECORDS)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(data=st.data())
def test_records_come_back_as_they_were(tmp_path_factory, kind, data):
    records = data.draw(st.lists(RECORDS[kind], max_size=4))
    path = tmp_path_factory.mktemp("manifest") / "records.jsonl"
    write_manifest(path, records)
    assert read_manifest(path, kind) == records


def test_one_json_object_a_line(tmp_path):
    path = tmp_path / "records.jsonl"
    write_manifest(path, [SpeechSpans(clip_id="a\nb\u2028c", spans=((0.0, 1.5),))] * 2)
    lines = path.read_bytes().split(b"\n")
    assert len(lines) == 3
    assert json.loads(lines[1]) == {"clip_id": "a\nb\u2028c", "spans": [[0.0, 1.5]]}


def test_a_file_that_is_not_there_holds_nothing(tmp_path):
    assert read_manifest(tmp_path / "none.jsonl", Clip) == []


@pytest.mark.parametrize(
    "bad",
    [
        b"{}",
        b"not json",
        b'{"clip_id": "a"}',
        b'{"clip_id": "a", "spans": [[0, "x"]]}',
        b'{"clip_id": "\xff", "spans": []}',
        b"",
    ],
)
def test_a_damaged_line_is_named(tmp_path, bad):
    path = tmp_path / "speech.jsonl"
    path.write_bytes(b'{"clip_id": "a", "spans": []}\n' + bad + b"\n")
    with pytest.raises(StoreError, match=r"speech\.jsonl, line 2: not a SpeechSpans"):
        read_manifest(path, SpeechSpans)


def test_a_record_that_breaks_its_own_rules_is_damaged(tmp_path):
    path = tmp_path / "segments.jsonl"
    row = {"id": "s", "clip_id": "c", "start": 2.0, "end": 1.0, "text": ""}
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(StoreError, match="reversed"):
        read_manifest(path, Segment)


def test_numbers_that_json_lacks_are_refused(tmp_path):
    path = tmp_path / "speech.jsonl"
    with pytest.raises(ValueError, match="JSON compliant"):
        write_manifest(path, [SpeechSpans(clip_id="a", spans=((0.0, math.nan),))])
    assert not path.exists()
