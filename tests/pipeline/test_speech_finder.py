from pathlib import Path

import pytest

from extractors.errors import MediaError
from pipeline.ingest import ingest
from pipeline.labels import read_labels
from pipeline.manifest import read_manifest
from pipeline.records import Clip, SpeechSpans
from pipeline.segments import SegmentConfig
from pipeline.speech_finder import SpeechFinder
from pipeline.splits import SplitConfig
from pipeline.workspace import Workspace

SAMPLES = Path(__file__).parents[2] / "sample_videos"


def clip(path, *, sample_rate=16000, number=0):
    return Clip(
        id=f"{number:064x}",
        path=str(path),
        duration=1.0,
        fps=None,
        sample_rate=sample_rate,
        size=1,
        modified_ns=1,
    )


@pytest.fixture
def workspace(tmp_path):
    return Workspace(root=tmp_path / "work")


def test_every_utterance_of_a_talking_head_is_found(workspace):
    spans = SpeechFinder(workspace).spans(clip(SAMPLES / "sample_04.mp4"))
    rows, _ = read_labels(SAMPLES / "labels.csv")
    uttered = [(row.start, row.end) for row in rows if row.video == "sample_04.mp4"]
    for start, end in uttered:
        found = sum(max(0.0, min(end, b) - max(start, a)) for a, b in spans)
        assert found > 0.6 * (end - start)
    outside = sum(b - a for a, b in spans) - sum(
        max(0.0, min(end, b) - max(start, a)) for a, b in spans for start, end in uttered
    )
    assert outside < 0.1 * sum(end - start for start, end in uttered)


def test_a_clip_without_sound_has_none_and_is_not_opened(workspace, tmp_path):
    assert SpeechFinder(workspace).spans(clip(tmp_path / "none.mp4", sample_rate=None)) == ()


def test_what_was_found_is_kept(workspace, make_clip):
    path = make_clip(path="quiet.wav", picture=None, sound="silence")
    finder = SpeechFinder(workspace)
    assert finder.spans(clip(path)) == ()
    finder.save()
    path.unlink()
    assert SpeechFinder(workspace).spans(clip(path)) == ()
    (kept,) = read_manifest(workspace.speech, SpeechSpans)
    assert kept == SpeechSpans(clip_id=clip(path).id, spans=())
    with pytest.raises(MediaError, match="quiet"):
        SpeechFinder(workspace).spans(clip(path, number=1))


def test_ingest_keeps_the_spans(workspace, make_clip):
    folder = make_clip(path="in/a.wav", picture=None, sound="silence").parent
    report = ingest(
        sources=[folder], workspace=workspace, segments=SegmentConfig(), split=SplitConfig()
    )
    (kept,) = read_manifest(workspace.speech, SpeechSpans)
    assert (kept.clip_id, kept.spans) == (report.clips[0].id, ())
