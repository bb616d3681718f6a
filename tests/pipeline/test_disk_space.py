import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from extractors.sequence import FeatureSequence
from pipeline.disk_space import (
    BYTES_PER_SECOND,
    is_disk_full,
    missing_bytes,
    require_space,
    require_space_for,
    stored_bytes,
)
from pipeline.errors import WorkspaceError
from pipeline.extraction_plan import ClipJob, ExtractionPlan
from pipeline.records import Clip
from pipeline.store import FeatureKey, FeatureStore

FULL = Path(__file__).with_name("full_disk.py")


def test_full_disks_and_other_errors():
    assert is_disk_full(OSError(errno.ENOSPC, "x"))
    assert is_disk_full(OSError(errno.EDQUOT, "x"))
    assert not is_disk_full(OSError(errno.EIO, "x"))
    assert not is_disk_full(ValueError(errno.ENOSPC))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_the_system_s_own_full_disk():
    with (
        Path("/dev/full").open("wb", buffering=0) as stream,
        pytest.raises(OSError, match="No space") as caught,
    ):
        stream.write(b"x")
    assert is_disk_full(caught.value)


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def make_plan(store, durations, stored):
    """Clips of these lengths; those that are stored have 100 rows a second."""
    clips, keys, jobs = [], {}, []
    for letter, duration in durations.items():
        clip = Clip(
            id=letter * 64, path=letter, duration=duration, fps=None, sample_rate=8000, size=1,
            modified_ns=0,
        )  # fmt: skip
        keys[clip.id] = {
            name: FeatureKey(extractor=name, settings="0" * 64, clip_id=clip.id)
            for name in ("covarep", "librosa33")
        }
        clips.append(clip)
        missing = dict(keys[clip.id])
        if letter in stored:
            store.put(missing.pop("covarep"), make_rows(round(100 * duration)))
        jobs.append(ClipJob(clip=clip, words=(), missing=missing))
    return clips, ExtractionPlan(keys=keys, jobs=tuple(jobs), stored={})


def make_rows(n):
    start = np.arange(n) / 100
    return FeatureSequence(
        values=np.zeros((n, 74), np.float32),
        times=np.stack([start, start + 0.01], axis=1),
        names=tuple(f"c{number}" for number in range(74)),
        valid=np.ones(n, np.bool_),
    )


def test_the_size_is_that_of_what_is_stored_a_second(store):
    clips, plan = make_plan(store, {"a": 10.0, "b": 30.0, "c": 7.0}, stored="ab")
    # 74 values of 4 bytes, two times of 8 and a flag, 100 times a second; the header is small
    covarep = 7.0 * 100 * (74 * 4 + 2 * 8 + 1)
    unknown = 47.0 * BYTES_PER_SECOND
    assert missing_bytes(plan, clips=clips, store=store) == pytest.approx(
        covarep + unknown, rel=0.01
    )


def test_nothing_to_do_needs_nothing(store):
    clips, plan = make_plan(store, {"a": 1.0}, stored="a")
    done = ExtractionPlan(keys=plan.keys, jobs=(), stored={})
    assert missing_bytes(done, clips=clips, store=store) == 0


def test_stored_bytes_are_those_of_the_files(store):
    _, plan = make_plan(store, {"a": 1.0, "b": 2.0}, stored="ab")
    keys = plan.keys["b" * 64]
    (path,) = Path(store.root).rglob(f"{'b' * 64}.safetensors")
    assert stored_bytes(keys.values(), store=store) == path.stat().st_size


def test_room_is_asked_of_the_disk(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    folder = tmp_path / "not" / "made"
    require_space(folder, needed=1000, reserve=0, purpose="packing")
    for asked in ({"needed": free * 2, "reserve": 0}, {"needed": 1, "reserve": free * 2}):
        with pytest.raises(
            WorkspaceError, match=r"made: packing needs about.*MB are free"
        ) as caught:
            require_space(folder, purpose="packing", **asked)
        assert caught.value.code == "disk_full"
    require_space(folder, needed=0, reserve=free * 2, purpose="nothing")
    require_space("memory://store", needed=free * 2, reserve=0, purpose="extraction")
    assert not folder.parent.exists()


def test_a_bucket_is_not_listed(tmp_path, monkeypatch):
    clips, plan = make_plan(FeatureStore(tmp_path / "store"), {"a": 1.0}, stored="")
    remote = FeatureStore("memory://bucket")
    monkeypatch.setattr(remote, "files", pytest.fail)
    require_space_for(plan, clips=clips, store=remote, reserve=10**18)
    local = FeatureStore(tmp_path / "store")
    with pytest.raises(WorkspaceError, match=r"extraction from 1 clips needs about 0\.1 MB"):
        require_space_for(plan, clips=clips, store=local, reserve=10**18)


def may_mount():
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="no small disk can be mounted here")
def test_a_disk_that_runs_full_costs_nothing(tmp_path, make_clip):
    """What full_disk.py does on a disk of 600 kB, mounted for it alone."""
    for number in range(5):
        make_clip(path=f"videos/{number}.wav", picture=None, seconds=2.0 + number / 10)
    (tmp_path / "disk").mkdir()
    script = f'mount -t tmpfs -o size=600k tmpfs {tmp_path / "disk"}; exec "$@"'
    command = ["unshare", "-rm", "sh", "-ec", script, "sh", sys.executable, FULL, tmp_path]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "all is there"
