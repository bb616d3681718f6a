"""One run at a time writes in a workspace."""

import errno
import fcntl
import functools
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from pipeline.errors import WorkspaceError
from pipeline.workspace import Workspace

_LOG = logging.getLogger(__name__)
#: How often a waiting process tries again.
POLL_SECONDS = 0.1
# Between looks at a lock: who only asks for it, as is_locked does, holds it for an instant.
_PAUSES = (0.01, 0.05, 0.1)
# Lustre and some network file systems are mounted without locks.
_NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP))
# The file that was opened has been deleted; on a network file system that shows late.
_GONE = frozenset((errno.ENOENT, errno.ESTALE))

P = ParamSpec("P")
T = TypeVar("T")


class _Settings(Protocol):
    @property
    def wait_seconds(self) -> float: ...


class _HasWorkspace(Protocol):
    @property
    def workspace(self) -> Workspace: ...

    @property
    def config(self) -> _Settings: ...


S = TypeVar("S", bound=_HasWorkspace)


@dataclass(kw_only=True)
class _Held:
    descriptor: int
    made_folder: bool
    depth: int = 1


_mutex = threading.Lock()
_held: dict[Path, _Held] = {}


@contextmanager
def workspace_lock(
    workspace: Workspace, *, step: str, wait_seconds: float, run: str | None = None
) -> Iterator[None]:
    """Keep other processes from writing in a workspace, or in one of its runs.

    The operating system's lock on a file (``flock``) is freed by the kernel when its holder ends,
    however it ends. The threads of one process share it, and may take it again while they hold it:
    a flow may hold it around its tasks. Who only reads needs none: manifests and stored features
    are there whole or not at all. Where the file system has no locks a warning says that nothing
    keeps others out.

    Parameters
    ----------
    workspace : Workspace
        Its folder is made, and taken away again if nothing was written.
    step : str
        What is done, for the messages of others.
    wait_seconds : float
        How long to wait for another process, >= 0; a message says that it waits.
    run : str, optional
        Keep others from this run only, so that different runs can be trained at once.

    Raises
    ------
    WorkspaceError
        With code ``workspace_in_use`` if another process still holds it then; it is named. With
        code ``read_only`` if nothing can be written there.
    """
    path = (workspace.lock if run is None else workspace.run_lock(run)).resolve()
    name = workspace.root if run is None else workspace.runs / run
    deadline = time.monotonic() + wait_seconds
    told = False
    while not _take_patiently(path, step):
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise WorkspaceError(
                f"{name}: {_holder(path)} is at work in it; wait until it is done, stop it, name "
                "another workspace, or set wait_seconds to wait longer",
                code="workspace_in_use",
            )
        if not told:
            message = "%s: %s is at work in it; waiting up to %.0f s"
            _LOG.warning(message, name, _holder(path), wait_seconds)
            told = True
        time.sleep(min(POLL_SECONDS, remaining))
    try:
        yield
    finally:
        _release(path)


def is_locked(workspace: Workspace, *, run: str) -> bool:
    """Ask whether anybody holds a run's lock; nothing is written.

    Parameters
    ----------
    workspace : Workspace
        Whose.
    run : str
        The run's id.

    Returns
    -------
    bool
        False for a lock that a killed process left, and where the file system has no locks.
    """
    try:
        descriptor = os.open(workspace.run_lock(run), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno in _NO_LOCKS | _GONE:
            return False
        raise
    finally:
        os.close(descriptor)


def exclusive(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Let a step of a project hold its workspace's lock.

    Parameters
    ----------
    method : callable
        Of a class with a ``workspace`` and a ``config.wait_seconds``.

    Returns
    -------
    callable
        The same, under :func:`workspace_lock`.
    """

    @functools.wraps(method)
    def step(self: S, /, *arguments: P.args, **named: P.kwargs) -> T:
        wait = self.config.wait_seconds
        with workspace_lock(self.workspace, step=method.__name__, wait_seconds=wait):
            return method(self, *arguments, **named)

    return step


def _take_patiently(path: Path, step: str) -> bool:
    for pause in _PAUSES:
        if _take(path, step):
            return True
        time.sleep(pause)
    return _take(path, step)


def _take(path: Path, step: str) -> bool:
    """Take the lock if it is free, or this process's already."""
    with _mutex:
        if path in _held:
            _held[path].depth += 1
            return True
        try:
            made_folder = not path.parent.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            if error.errno in _GONE:
                # another process has just taken its empty folder away
                return False
            raise WorkspaceError(
                f"{path.parent}: cannot be written ({error}); name another workspace",
                code="read_only",
            ) from error
        if not _locked(descriptor, path):
            os.close(descriptor)
            return False
        _held[path] = _Held(descriptor=descriptor, made_folder=made_folder)
        _sign(descriptor, step)
        return True


def _locked(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # the file may have been deleted between opening and locking: that lock keeps nobody out
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _GONE:
            return False
        if error.errno in _NO_LOCKS:
            message = "%s: no locks here (%s); see yourself that only one run is at work in it"
            _LOG.warning(message, path.parent, error.strerror)
            return True
        os.close(descriptor)
        raise WorkspaceError(f"{path}: cannot be locked ({error}); name another workspace") from (
            error
        )


def _sign(descriptor: int, step: str) -> None:
    """Write down who holds the lock; on a full disk others do without it."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    name = {"pid": os.getpid(), "host": platform.node(), "since": since, "step": step}
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(name).encode(), 0)


def _holder(path: Path) -> str:
    try:
        name = json.loads(path.read_bytes())
        return "process {pid} on {host} ({step}, since {since})".format(**name)
    except (OSError, ValueError, KeyError, TypeError):
        # it was let go of at this moment, or its name found no room
        return "another process"


def _release(path: Path) -> None:
    with _mutex:
        held = _held[path]
        held.depth -= 1
        if held.depth:
            return
        del _held[path]
        # the workspace itself may have been deleted meanwhile
        with suppress(OSError):
            path.unlink()
            if held.made_folder:
                path.parent.rmdir()
        os.close(held.descriptor)


def _forget() -> None:
    """Let a forked child hold nothing, or it would keep the lock beyond its parent's end."""
    global _mutex
    _mutex = threading.Lock()
    for held in _held.values():
        os.close(held.descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget)
