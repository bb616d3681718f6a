import errno
import fcntl
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.errors import WorkspaceError
from pipeline.workspace import Workspace
from pipeline.workspace_lock import exclusive, is_locked, workspace_lock

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.workspace import Workspace
from pipeline.workspace_lock import workspace_lock
workspace, run, wait = Workspace(root=Path(sys.argv[1])), sys.argv[2] or None, float(sys.argv[3])
with workspace_lock(workspace, step="extract", wait_seconds=wait, run=run):
    print("held", flush=True)
    sys.stdin.readline()
"""
COUNTER = """
import sys, time
from pathlib import Path
from pipeline.workspace import Workspace
from pipeline.workspace_lock import workspace_lock
workspace = Workspace(root=Path(sys.argv[1]))
for _ in range(30):
    with workspace_lock(workspace, step="count", wait_seconds=30):
        path = workspace.root / "count"
        before = int(path.read_text()) if path.exists() else 0
        time.sleep(0.002)
        path.write_text(str(before + 1))
"""


@pytest.fixture
def workspace(tmp_path):
    return Workspace(root=tmp_path / "work")


@pytest.fixture
def hold(workspace):
    """Start another process that holds the lock; gives it once it does."""
    started = []

    def hold(run=""):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(workspace.root), run, "20"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(holder)
        assert holder.stdout.readline() == "held\n"
        return holder

    yield hold
    for holder in started:
        holder.kill()
        holder.communicate()


def lock(workspace, *, wait_seconds=0.0, **more):
    return workspace_lock(workspace, step="train", wait_seconds=wait_seconds, **more)


def test_another_process_is_waited_for_and_then_named(workspace, hold, caplog):
    holder = hold()
    started = time.monotonic()
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(WorkspaceError) as caught,
        lock(workspace, wait_seconds=0.4),
    ):
        pytest.fail("two at once")
    assert 0.4 <= time.monotonic() - started < 5
    assert caught.value.code == "workspace_in_use"
    message = str(caught.value)
    assert f"{workspace.root}: process {holder.pid} on " in message
    assert "(extract, since 20" in message
    assert "wait_seconds" in message
    (record,) = caplog.records
    assert f"process {holder.pid}" in record.getMessage()
    assert "waiting up to 0 s" in record.getMessage()


def test_who_waits_long_enough_gets_it(workspace, hold):
    holder = hold()
    timer = threading.Timer(0.3, lambda: holder.communicate("\n"))
    timer.start()
    with lock(workspace, wait_seconds=20):
        assert f'"pid": {os.getpid()}' in workspace.lock.read_text()
        timer.join()


def test_a_killed_holder_keeps_nobody_out(workspace, hold):
    holder = hold()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    # what it wrote about itself is still there
    assert workspace.lock.read_text() != ""
    with lock(workspace):
        assert str(os.getpid()) in workspace.lock.read_text()


def test_processes_take_turns(workspace):
    command = [sys.executable, "-c", COUNTER, str(workspace.root)]
    running = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    assert (workspace.root / "count").read_text() == "60"


def test_the_same_process_enters_again_and_its_threads_share(workspace):
    def in_thread():
        with lock(workspace):
            return workspace.lock.exists()

    with lock(workspace):
        with lock(workspace), ThreadPoolExecutor(1) as pool:
            assert pool.submit(in_thread).result(timeout=10)
        # left by two of three: still held
        tried = subprocess.run(
            [sys.executable, "-c", HOLDER, str(workspace.root), "", "0"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"process {os.getpid()} on" in tried.stderr


def test_runs_are_locked_one_by_one(workspace, hold):
    hold("mind-1")
    with lock(workspace), lock(workspace, run="mind-2"):
        pass
    with (
        pytest.raises(WorkspaceError, match=r"runs/mind-1: process"),
        lock(workspace, run="mind-1"),
    ):
        pass


def test_who_asks_at_this_instant_keeps_nobody_out(workspace, monkeypatch):
    """As ``is_locked`` does: the test lets go while the taker pauses."""
    workspace.runs.mkdir(parents=True)
    path = workspace.run_lock("mind-1")
    path.write_text('{"pid": 1, "host": "h", "since": "2026", "step": "killed long ago"}')
    with path.open() as asked:
        fcntl.flock(asked, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(asked, fcntl.LOCK_UN))
        with lock(workspace, run="mind-1"):
            assert is_locked(workspace, run="mind-1")
    assert not is_locked(workspace, run="mind-1")


def test_nothing_is_left_of_it(workspace):
    with lock(workspace), lock(workspace, run="a"):
        assert workspace.lock.exists()
    assert not workspace.root.exists()
    workspace.root.mkdir()
    with lock(workspace):
        pass
    assert list(workspace.root.iterdir()) == []


def test_it_is_free_after_an_error(workspace, hold):
    with pytest.raises(KeyError), lock(workspace):
        raise KeyError("x")
    hold()


def test_a_workspace_that_is_deleted_meanwhile(workspace):
    with lock(workspace):
        workspace.lock.unlink()
        workspace.root.rmdir()
    with lock(workspace):
        assert workspace.lock.exists()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_hold_what_its_parent_held(workspace):
    with lock(workspace):
        child = os.fork()
        if child == 0:
            time.sleep(20)
            os._exit(0)
    try:
        with lock(workspace):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_folder_that_cannot_be_written():
    # not below tmp_path: only its owner may look into that
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            for place in (Path(folder), Path(folder) / "new"):
                with (
                    pytest.raises(WorkspaceError, match="cannot be written") as caught,
                    lock(Workspace(root=place)),
                ):
                    pass
                assert caught.value.code == "read_only"
        finally:
            if root:
                os.seteuid(0)
            Path(folder).chmod(0o755)


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "taken").touch()
    with (
        pytest.raises(WorkspaceError, match=r"taken: cannot be written"),
        lock(Workspace(root=tmp_path / "taken")),
    ):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_of(workspace, monkeypatch, caplog, code):
    # no file system of a test machine lacks them
    def refuse(descriptor, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING), lock(workspace), lock(workspace):
        pass
    (record,) = caplog.records
    assert "no locks here" in record.getMessage()


def test_a_lock_that_fails(workspace, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(WorkspaceError, match="cannot be locked"), lock(workspace):
        pass


def test_steps_of_a_project(workspace, hold):
    @dataclass
    class Config:
        wait_seconds: float = 0.0

    @dataclass
    class Steps:
        workspace: Workspace
        config: Config

        @exclusive
        def pack(self, number, *, name):
            return number, name, workspace.lock.exists()

    steps = Steps(workspace, Config())
    assert steps.pack(3, name="x") == (3, "x", True)
    holder = hold()
    with pytest.raises(WorkspaceError, match="at work in it"):
        steps.pack(3, name="x")
    holder.communicate("\n")
    assert steps.pack.__name__ == "pack"
