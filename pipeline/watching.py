"""What has changed in a folder since it was looked at last."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import SourceError
from pipeline.manifest import read_manifest
from pipeline.records import Clip, Failure
from pipeline.sources import MEDIA_SUFFIXES
from pipeline.workspace import Workspace


class FileState(NamedTuple):
    """What tells that a file was not written since.

    Attributes
    ----------
    size : int
        Bytes.
    modified_ns : int
        Time of the last change in nanoseconds.
    """

    size: int
    modified_ns: int


@dataclass(frozen=True, kw_only=True)
class FolderChange:
    """What is new, and whole, in a folder.

    Parameters
    ----------
    arrived : tuple of str
        Paths of videos and sound files that are new or were replaced.
    removed : tuple of str
        Paths of those that are gone.
    beside : tuple of str
        Paths of other files that are new, changed or gone: transcripts and labels.
    """

    arrived: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.arrived or self.removed or self.beside)

    def __str__(self) -> str:
        counts = {"arrived": self.arrived, "removed": self.removed, "changed beside": self.beside}
        return ", ".join(f"{len(paths)} {name}" for name, paths in counts.items() if paths)


class FolderWatch:
    """Looks at a folder again and again; works on network disks, where nothing is notified.

    A change is told once, when all that has changed is whole: a file that two looks found alike and
    that nobody has written for a while. A folder that cannot be read, or is empty, may be a disk
    that is not mounted: that is no change.

    Parameters
    ----------
    folder : Path
        Searched with its subfolders; hidden files and folders are left out.
    known : mapping of str to FileState or None
        Videos that need not be told, None for whatever state they are in; other files need not be
        told as they are at the first look.
    stable_seconds : float
        How long ago the last change of a file must be, >= 0.
    patience_seconds : float
        After that time the whole files are told although others are still changing.
    """

    def __init__(
        self,
        folder: Path,
        *,
        known: Mapping[str, FileState | None],
        stable_seconds: float,
        patience_seconds: float = 600.0,
    ) -> None:
        self._folder = folder.resolve()
        self._stable, self._patience = stable_seconds, patience_seconds
        self._initial = dict(known)
        self._told: dict[str, FileState] | None = None
        self._before: dict[str, FileState] = {}
        self._waiting_since: float | None = None

    def look(self) -> FolderChange:
        """Look at the folder.

        Returns
        -------
        FolderChange
            What was not told yet; untrue if that is nothing, or not whole yet.
        """
        there = _list(self._folder)
        if not there:
            return FolderChange()
        told = self._first(there) if self._told is None else self._told
        self._told = told
        changed = {path for path, state in there.items() if told.get(path) != state}
        whole = {path for path in changed if self._is_whole(path, there[path])}
        gone = told.keys() - there.keys()
        self._before = there
        if not (changed or gone) or self._waits(still=changed - whole):
            return FolderChange()
        for path in whole:
            told[path] = there[path]
        for path in gone:
            del told[path]
        media = {path for path in whole | gone if _is_media(path)}
        return FolderChange(
            arrived=tuple(sorted(media & whole)),
            removed=tuple(sorted(media & gone)),
            beside=tuple(sorted((whole | gone) - media)),
        )

    def _first(self, there: Mapping[str, FileState]) -> dict[str, FileState]:
        told = {path: state for path, state in there.items() if not _is_media(path)}
        for path, state in self._initial.items():
            if state is not None:
                told[path] = state
            elif path in there:
                told[path] = there[path]
        return told

    def _is_whole(self, path: str, state: FileState) -> bool:
        age = time.time() - state.modified_ns / 1e9
        # a change in the future tells nothing
        return self._before.get(path) == state and not 0 <= age < self._stable

    def _waits(self, *, still: set[str]) -> bool:
        """Whether to wait for files that are still being written."""
        now = time.monotonic()
        since = now if self._waiting_since is None else self._waiting_since
        waits = bool(still) and now - since < self._patience
        self._waiting_since = since if waits else None
        return waits


def known_files(workspace: Workspace, folder: Path) -> dict[str, FileState | None]:
    """List the videos of a folder that a workspace knows.

    Parameters
    ----------
    workspace : Workspace
        Whose.
    folder : Path
        The folder.

    Returns
    -------
    dict of str to FileState or None
        Path to its state when it was ingested; None for those that could not be used, or that have
        the bytes of another.
    """
    place = folder.resolve()
    clips = read_manifest(workspace.clips, Clip)
    failures = [
        failure
        for failure in read_manifest(workspace.failures, Failure)
        if failure.step == "ingest" and failure.code not in ("still_changing", "vanished")
    ]
    known: dict[str, FileState | None] = {failure.item: None for failure in failures}
    known |= {clip.path: FileState(clip.size, clip.modified_ns) for clip in clips}
    return {path: state for path, state in known.items() if place in Path(path).parents}


def _is_media(path: str) -> bool:
    return Path(path).suffix.lower() in MEDIA_SUFFIXES


def _list(folder: Path) -> dict[str, FileState]:
    """Every visible file; nothing where the folder cannot be read."""
    found = {}
    try:
        for path in folder.rglob("*"):
            if any(part.startswith(".") for part in path.relative_to(folder).parts):
                continue
            try:
                status = path.stat()
            except OSError:
                # gone since it was listed, or a link that leads nowhere
                continue
            if path.is_file():
                found[str(path)] = FileState(status.st_size, status.st_mtime_ns)
    except OSError:
        return {}
    return found


def require_folder(folder: Path) -> Path:
    """Refuse to watch what is no folder.

    Parameters
    ----------
    folder : Path
        What is to be watched.

    Returns
    -------
    Path
        The same, absolute and without links.

    Raises
    ------
    SourceError
        With code ``missing_folder`` if it is not there.
    """
    if not folder.is_dir():
        raise SourceError(
            f"{folder}: no such folder to watch; make it, or name another", code="missing_folder"
        )
    return folder.resolve()
