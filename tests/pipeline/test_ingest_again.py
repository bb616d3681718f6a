import hashlib
import os
from pathlib import Path

import pytest

import pipeline.ingest
from pipeline.fingerprint import file_digest
from pipeline.manifest import read_manifest
from pipeline.records import Segment, Transcript
from pipeline.workspace import Workspace
from tests.pipeline.ingesting import SRT, adds, codes, ingests


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "videos").mkdir()
    return tmp_path / "videos"


@pytest.fixture
def workspace(tmp_path):
    return Workspace(root=tmp_path / "work")


@pytest.fixture
def run(folder, workspace):
    return ingests(folder, workspace)


@pytest.fixture
def add(folder, make_clip):
    return adds(folder, make_clip)


def test_an_unchanged_file_is_not_read_again(folder, run, add):
    path = add("a.wav")
    first = run().clips
    before = path.stat()
    # other bytes of the same size and time: only who reads the file can tell
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert run().clips == first
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert codes(run(), "not_media") == [("a.wav", "ingest", "not_media")]


def test_changed_content_is_another_clip(run, add):
    path = add("a.wav", seconds=1.0)
    (first,) = run().clips
    add("a.wav", seconds=2.0)
    (second,) = run().clips
    assert (second.path, first.path) == (str(path), str(path))
    assert second.id != first.id
    assert second.duration == pytest.approx(2 * first.duration)


def test_an_edited_transcript_is_read_again(run, add, workspace):
    path = add("a.wav").with_suffix(".srt")
    run()
    (first,) = read_manifest(workspace.transcripts, Transcript)
    path.write_text(SRT.replace("good", "bad"))
    run()
    (second,) = read_manifest(workspace.transcripts, Transcript)
    assert (first.words[1].text, second.words[1].text) == ("good.", "bad.")
    assert first.digest != second.digest


def test_a_removed_clip_leaves_the_manifests(run, add, workspace):
    add("a.wav")
    gone = add("bb.wav")
    assert len(run().clips) == 2
    gone.unlink()
    report = run()
    assert len(report.clips) == 1
    assert len(read_manifest(workspace.segments, Segment)) == 1
    assert codes(report) == [("bb.wav", "ingest", "vanished")]
    assert codes(run()) == []


def test_a_moved_clip_is_followed(run, add, folder):
    old = add("a.wav")
    before = run()
    (folder / "sub").mkdir()
    for path in (old, old.with_suffix(".srt")):
        path.rename(folder / "sub" / path.name)
    after = run()
    assert after.moved == (str(folder / "sub" / "a.wav"),)
    assert [clip.id for clip in after.clips] == [clip.id for clip in before.clips]
    assert after.segments == before.segments
    assert codes(after) == []
    assert run().moved == ()


def test_a_clip_of_another_folder_has_not_vanished(run, add, folder):
    one, two = add("one/a.wav"), add("two/b.wav")
    run(one.parent)
    assert codes(run(two.parent)) == []


def test_a_file_that_is_being_copied_is_left_for_the_next_time(run, add):
    old, _ = add("old.wav"), add("new.wav")
    os.utime(old, (0, 0))
    report = run(stable_seconds=3600)
    assert [clip.path for clip in report.clips] == [str(old)]
    assert codes(report) == [("new.wav", "ingest", "still_changing")]
    # it is known now: that it was written a moment ago does not matter
    known = run()
    assert [Path(clip.path).name for clip in known.clips] == ["new.wav", "old.wav"]
    assert run(stable_seconds=3600).clips == known.clips


def test_a_file_that_grows_while_it_is_read_is_left_for_the_next_time(run, add, monkeypatch):
    path = add("a.wav")

    def meanwhile(name):
        with path.open("ab") as stream:
            stream.write(bytes(1000))
        return file_digest(name)

    monkeypatch.setattr(pipeline.ingest, "file_digest", meanwhile)
    report = run()
    assert report.clips == ()
    assert codes(report) == [("a.wav", "ingest", "still_changing")]
    monkeypatch.undo()
    (clip,) = run().clips
    assert clip.id == hashlib.sha256(path.read_bytes()).hexdigest()
