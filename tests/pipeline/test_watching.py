import os
import shutil
import time

import pytest

from pipeline.errors import SourceError
from pipeline.ingest import ingest
from pipeline.segments import SegmentConfig
from pipeline.splits import SplitConfig
from pipeline.watching import FolderChange, FolderWatch, known_files, require_folder
from pipeline.word_config import WordConfig
from pipeline.workspace import Workspace

OLD = time.time() - 1000


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "videos").mkdir()
    return tmp_path / "videos"


@pytest.fixture
def add(folder):
    def add(name, content="x", *, at=OLD):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
        os.utime(path, (at, at))
        return str(path)

    return add


def watch(folder, **more):
    return FolderWatch(folder, **({"known": {}, "stable_seconds": 10.0} | more))


def test_new_files_are_told_once(folder, add):
    looks = watch(folder)
    assert not looks.look()
    one = add("one.mp4")
    # a single look cannot tell that it is whole
    assert not looks.look()
    assert looks.look() == FolderChange(arrived=(one,))
    assert not looks.look()
    two, three = add("two.MOV"), add("deep/three.wav")
    words = add("two.srt")
    looks.look()
    change = looks.look()
    assert change == FolderChange(arrived=(three, two), beside=(words,))
    assert str(change) == "2 arrived, 1 changed beside"


def test_a_file_that_is_being_written_is_waited_for(folder, add):
    looks = watch(folder)
    whole, growing = add("whole.mp4"), add("growing.mp4", at=time.time())
    looks.look()
    # it rests, but not for long enough
    assert not looks.look()
    add("growing.mp4", "xx")
    assert not looks.look()
    assert looks.look().arrived == (growing, whole)


def test_who_has_no_more_patience_tells_what_is_whole(folder, add):
    looks = watch(folder, patience_seconds=0.05)
    whole = add("whole.mp4")
    growing = add("growing.mp4", at=time.time())
    assert not looks.look()
    time.sleep(0.1)
    assert looks.look().arrived == (whole,)
    assert not looks.look()
    os.utime(growing, (OLD, OLD))
    looks.look()
    time.sleep(0.1)
    assert looks.look().arrived == (growing,)


def test_a_replaced_file_and_one_that_is_gone(folder, add):
    looks = watch(folder)
    one, two = add("one.mp4"), add("two.mp4")
    looks.look()
    assert looks.look()
    add("one.mp4", "other")
    (folder / "two.mp4").unlink()
    # what is gone is told together with what comes
    assert not looks.look()
    assert looks.look() == FolderChange(arrived=(one,), removed=(two,))


def test_hidden_files_and_names_that_lead_nowhere(folder, add):
    looks = watch(folder)
    for name in (".hidden.mp4", ".trash/a.mp4"):
        add(name)
    (folder / "link.mp4").symlink_to(folder / "none.mp4")
    assert not looks.look()
    assert not looks.look()


def test_a_disk_that_is_not_mounted_has_lost_nothing(folder, add):
    looks = watch(folder)
    one = add("one.mp4")
    looks.look()
    assert looks.look()
    away = folder.with_name("away")
    folder.rename(away)
    assert not looks.look()
    folder.mkdir()
    assert not looks.look()
    folder.rmdir()
    away.rename(folder)
    assert not looks.look()
    assert not looks.look()
    add("two.mp4")
    (folder / "one.mp4").unlink()
    looks.look()
    assert looks.look().removed == (one,)


def test_a_clock_that_is_ahead_stops_nothing(folder, add):
    looks = watch(folder)
    one = add("one.mp4", at=time.time() + 3600)
    looks.look()
    assert looks.look().arrived == (one,)


def test_what_was_ingested_is_not_new(folder, add, make_clip, tmp_path):
    make_clip(path="videos/a.wav", picture=None, seconds=1.0)
    shutil.copy(folder / "a.wav", folder / "b.wav")
    add("broken.mp4")
    labels = add("labels.csv", "video,label\na,1\n")
    make_clip(path="elsewhere/c.wav", picture=None, seconds=1.2)
    workspace = Workspace(root=tmp_path / "work")
    ingest(
        sources=[folder, tmp_path / "elsewhere"],
        workspace=workspace,
        segments=SegmentConfig(),
        split=SplitConfig(),
        words=WordConfig(alignment="none", asr="none"),
    )
    known = known_files(workspace, folder)
    assert {path.rpartition("/")[2] for path in known} == {"a.wav", "b.wav", "broken.mp4"}
    looks = watch(folder, known=known, stable_seconds=0.0)
    assert not looks.look()
    assert not looks.look()
    # labels change, and while nobody watched a video came and one went
    looks = watch(folder, known=known, stable_seconds=0.0)
    (folder / "a.wav").rename(folder / "moved.wav")
    looks.look()
    add("labels.csv", "video,label\na,2\n", at=OLD + 5)
    looks.look()
    change = looks.look()
    assert change.arrived == (str(folder / "moved.wav"),)
    assert change.removed == (str(folder / "a.wav"),)
    assert change.beside == (labels,)


def test_only_a_folder_can_be_watched(folder, add):
    assert require_folder(folder) == folder.resolve()
    for name in ("none", add("a.mp4")):
        with pytest.raises(SourceError, match="no such folder to watch"):
            require_folder(folder / name)
