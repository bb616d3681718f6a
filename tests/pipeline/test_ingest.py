import csv
import hashlib
import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.manifest import read_manifest
from pipeline.records import Clip, Failure, Segment, Transcript
from pipeline.splits import Split
from pipeline.word_config import WordConfig
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


def write_labels(folder, *rows):
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["video", "label"], *rows])


def test_a_clip_and_what_lies_beside_it(folder, workspace, run, add):
    path = add("a.mp4", picture="moving", sound="voice", seconds=2.0)
    write_labels(folder, ["a", "1.5"])
    report = run()
    (clip,) = report.clips
    assert clip.id == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (clip.path, clip.fps, clip.sample_rate) == (str(path), pytest.approx(25), 16000)
    assert clip.duration == pytest.approx(2.0, abs=0.1)
    (transcript,) = read_manifest(workspace.transcripts, Transcript)
    assert [word.text for word in transcript.words] == ["Very", "good."]
    assert transcript.digest == hashlib.sha256(SRT.encode()).hexdigest()
    (segment,) = report.segments
    assert (segment.text, segment.label) == ("Very good.", 1.5)
    assert report.failures == ()


def test_the_manifests_hold_the_report(folder, workspace, run, add):
    for name in ("a.wav", "deep/b.wav", "c.wav"):
        add(name, srt=None if name == "c.wav" else SRT)
    write_labels(folder, ["a", "1"], ["c", "9"])
    report = run()
    assert tuple(read_manifest(workspace.clips, Clip)) == report.clips
    assert len(read_manifest(workspace.transcripts, Transcript)) == report.transcripts == 2
    assert tuple(read_manifest(workspace.segments, Segment)) == report.segments
    assert tuple(read_manifest(workspace.failures, Failure)) == report.failures
    assert Split.load(workspace.split) == report.split
    assert [Path(clip.path).name for clip in report.clips] == ["a.wav", "c.wav", "b.wav"]
    assert len(report.failures) == 2


def test_a_missing_folder(folder, run, workspace):
    with pytest.raises(SourceError, match="videos/none: no such folder or file") as caught:
        run(folder / "none")
    assert caught.value.code == "missing_folder"
    assert not workspace.root.exists()


def test_a_file_alone(run, add):
    one, _ = add("a.wav"), add("bb.wav")
    assert [clip.path for clip in run(one).clips] == [str(one)]


def test_an_address(run, talk):
    report = run(talk)
    assert len(report.clips) == report.transcripts == 1
    assert [segment.text for segment in report.segments] == ["Hello there."]
    assert report.failures == ()


@pytest.mark.parametrize("name", [None, "notes.txt", ".hidden.mp4", ".trash/a.mp4", "folder.mp4/x"])
def test_an_empty_folder(folder, run, name):
    if name:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    with pytest.raises(SourceError, match="holds no media file") as caught:
        run()
    assert caught.value.code == "empty_folder"


def test_bad_files_are_recorded_and_the_rest_goes_on(folder, run, add, make_clip):
    add("good.wav")
    whole = make_clip(path="whole.mp4", seconds=4.0, size=(320, 240), faststart=True)
    (folder / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "empty.mp4").touch()
    (folder / "headless.mp4").write_bytes(
        make_clip(path="whole2.mp4", seconds=2.0).read_bytes()[:2000]
    )
    (folder / "link.mp4").symlink_to(folder / "nowhere.mp4")
    report = run()
    assert [Path(clip.path).name for clip in report.clips] == ["good.wav"]
    assert codes(report) == [
        ("cut.mp4", "ingest", "truncated"),
        ("empty.mp4", "ingest", "empty_file"),
        ("headless.mp4", "ingest", "not_media"),
        ("link.mp4", "ingest", "unreadable"),
        ("text.mp4", "ingest", "not_media"),
    ]
    assert all(failure.item in failure.detail for failure in report.failures)


def test_a_clip_without_sound_and_one_without_pictures(run, add):
    add("mute.mp4", picture="moving", sound=None)
    add("radio.wav")
    report = run()
    assert [(clip.has_video, clip.has_audio) for clip in report.clips] == [
        (True, False),
        (False, True),
    ]
    assert report.failures == ()


def test_the_same_bytes_twice(folder, run, add):
    first = add("a.wav")
    shutil.copy(first, folder / "b.wav")
    write_labels(folder, ["b.wav", "2"])
    report = run()
    assert [clip.path for clip in report.clips] == [str(first)]
    ((failure),) = report.failures
    assert (failure.item, failure.code) == (str(folder / "b.wav"), "duplicate")
    assert str(first) in failure.detail
    assert failure.clip_id == report.clips[0].id
    # a label for the second name is one for the clip
    assert [segment.label for segment in report.segments] == [2.0]


def test_the_transcript_beside_a_copy_in_the_language_that_is_spoken(folder, run, add):
    first = add("a.wav", srt=None)
    shutil.copy(first, folder / "b.wav")
    (folder / "b.en.srt").write_text(SRT)
    (folder / "b.de.srt").write_text(SRT.replace("Very good.", "Sehr gut."))
    assert run().transcripts == 0
    report = run(words=WordConfig(alignment="none", asr="none", language="de-AT"))
    assert [clip.path for clip in report.clips] == [str(first)]
    assert [segment.text for segment in report.segments] == ["Sehr gut."]
    (folder / "a.srt").write_text(SRT)
    assert [segment.text for segment in run().segments] == ["Very good."]


NAMES = [
    "with space.wav",
    'it\'s "quoted".wav',
    "two\nlines.wav",
    "[bold].wav",
    "100%d.wav",
    "北京 😀.wav",
    "-dash.wav",
    "a:b.wav",
    "SHOUT.WAV",
    unicodedata.normalize("NFC", "Zoë.wav"),
    unicodedata.normalize("NFD", "René.wav"),
]


def test_names(folder, workspace, run, add):
    for name in NAMES:
        add(name)
    other = {"NFD": "NFC", "NFC": "NFD"}
    swapped = [
        unicodedata.normalize(other["NFC" if unicodedata.is_normalized("NFC", n) else "NFD"], n)
        for n in NAMES
    ]
    assert sum(a != b for a, b in zip(NAMES, swapped, strict=True)) == 2
    write_labels(folder, *([name, "1"] for name in swapped))
    report = run()
    assert {Path(clip.path).name for clip in report.clips} == set(NAMES)
    assert report.failures == ()
    assert [segment.label for segment in report.segments] == [1.0] * len(NAMES)
    assert report.transcripts == len(NAMES)
    assert tuple(read_manifest(workspace.clips, Clip)) == report.clips


def test_a_name_that_is_not_utf8(folder, workspace, run, add):
    add("good.wav")
    os.rename(add("bad.wav", srt=None), os.fsencode(folder) + b"/caf\xe9.wav")  # noqa: PTH104
    report = run()
    assert len(report.clips) == 1
    assert codes(report) == [("caf\\udce9.wav", "ingest", "bad_name")]
    assert read_manifest(workspace.failures, Failure) == list(report.failures)


def test_transcripts_that_cannot_be_used(folder, run, add):
    add("long.wav", srt="1\n00:01:00,000 --> 00:01:01,000\nLate.\n")
    add("none.wav", srt=None)
    add("odd.wav", srt="1\n00:00:00,000 --> soon\nOdd.\n")
    add("void.wav", srt="")
    add("good.wav")
    disk = add("unreadable.wav", srt=None)
    # a file that opens and cannot be read
    disk.with_suffix(".srt").symlink_to("/proc/self/mem")
    report = run()
    assert len(report.clips) == 6
    assert report.transcripts == 1
    assert codes(report) == [
        ("long.wav", "transcript", "transcript_beyond_clip"),
        ("none.wav", "transcript", "no_transcript"),
        ("odd.wav", "transcript", "bad_transcript"),
        ("unreadable.wav", "transcript", "unreadable"),
        ("void.wav", "transcript", "empty_transcript"),
    ]
    assert "odd.srt, line 2" in report.failures[2].detail
    # they are used all the same
    assert len({segment.clip_id for segment in report.segments}) == 6


def test_what_was_mended_in_a_transcript_is_recorded_every_time(run, add, workspace):
    path = add("a.wav").with_suffix(".srt")
    path.write_bytes(SRT.replace("Very", "Tr\xe8s").encode("latin-1"))
    for _ in range(2):
        report = run()
        (transcript,) = read_manifest(workspace.transcripts, Transcript)
        assert [word.text for word in transcript.words] == ["Tr\xe8s", "good."]
        assert codes(report) == [("a.wav", "transcript", "guessed_encoding")]
        assert "a.srt, line 3" in report.failures[0].detail


def test_utterances_end_with_their_speaker(run, add):
    add("a.wav", seconds=4.0, srt=SRT.replace("Very good.", "- Very good\n- No it is"))
    assert [segment.text for segment in run().segments] == ["Very good", "No it is"]


def test_bad_labels_are_recorded_and_the_rest_goes_on(folder, run, add):
    add("a.wav")
    rows = [["none.wav", "1"], ["a.wav", "3.5"], ["a.wav", "good"], ["a.wav", "-1"]]
    write_labels(folder, *rows)
    report = run()
    assert [(f.step, f.code) for f in report.failures] == [
        ("labels", "label_out_of_range"),
        ("labels", "bad_number"),
        ("labels", "unknown_clip"),
    ]
    assert [segment.label for segment in report.segments] == [-1.0]


def test_what_was_fetched_is_whole(run, talk):
    assert len(run(talk, stable_seconds=3600).clips) == 1


def test_every_file_is_told(run, add):
    paths = [add("a.wav"), add("bb.wav")]
    told = []
    run(on_file=told.append)
    assert told == 2 * [str(path) for path in paths]
