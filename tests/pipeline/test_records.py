import math
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime

import pytest

from extractors.words import Word
from pipeline.records import LABEL_RANGE, Clip, Failure, Segment, Transcript

CLIP = Clip(
    id="a" * 64,
    path="talks/one.mp4",
    duration=3.5,
    fps=25.0,
    sample_rate=48000,
    size=1234,
    modified_ns=10,
)
SEGMENT = Segment(id="s", clip_id="a" * 64, start=0.0, end=1.5, text="yes", label=-3.0)


def test_a_clip_knows_its_streams():
    assert CLIP.has_video
    assert CLIP.has_audio
    assert not replace(CLIP, fps=None).has_video
    assert not replace(CLIP, sample_rate=None).has_audio


@pytest.mark.parametrize("duration", [0.0, -1.0, math.nan, math.inf])
def test_a_clip_lasts(duration):
    with pytest.raises(ValueError, match=r"talks/one\.mp4.*duration"):
        replace(CLIP, duration=duration)


@pytest.mark.parametrize("name", ["", "a" * 63, "one.mp4"])
def test_a_clip_is_known_by_a_digest(name):
    with pytest.raises(ValueError, match=r"talks/one\.mp4.*SHA-256"):
        replace(CLIP, id=name)


@pytest.mark.parametrize(
    ("start", "end"),
    [(-0.1, 1.0), (1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.inf), (0.0, math.nan)],
)
def test_a_segment_has_a_span(start, end):
    with pytest.raises(ValueError, match="segment s: span"):
        replace(SEGMENT, start=start, end=end)


@pytest.mark.parametrize("label", [-3.01, 3.01, math.nan, math.inf])
def test_a_label_outside_the_scale_is_refused(label):
    with pytest.raises(ValueError, match=r"segment s: label .* \[-3.0, 3.0\]"):
        replace(SEGMENT, label=label)


@pytest.mark.parametrize("label", [None, 0.0, *LABEL_RANGE])
def test_the_scale_holds_its_ends_and_nothing(label):
    assert replace(SEGMENT, label=label).label == label


def test_words_are_in_time_order():
    words = (Word(text="a", start=0.0, end=0.5), Word(text="b", start=0.4, end=0.6))
    transcript = Transcript(clip_id="c", path="one.json", digest="d", words=words)
    assert transcript.words == words
    with pytest.raises(ValueError, match=r"one\.json.*time order"):
        replace(transcript, words=words[::-1])
    assert replace(transcript, words=()).words == ()


def test_a_failure_has_its_time():
    before = datetime.now(UTC).replace(microsecond=0)
    failure = Failure(item="one.mp4", step="ingest", code="no_streams", detail="nothing in it")
    at = datetime.fromisoformat(failure.at)
    assert before <= at <= datetime.now(UTC)
    assert failure.clip_id is None


def test_records_do_not_change():
    for record in (CLIP, SEGMENT):
        with pytest.raises(FrozenInstanceError):
            record.id = "b"
