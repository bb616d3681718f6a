"""What a workspace could do without."""

import json
import os
import re
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pipeline.download import list_downloads
from pipeline.manifest import read_manifest
from pipeline.records import Clip
from pipeline.removals import RemovedClip
from pipeline.store import DESCRIPTION, FeatureKey, FeatureStore, StoredFile
from pipeline.workspace import Workspace

Kind = Literal[
    "features", "damaged features", "packed data", "run", "interrupted run", "temporary file",
    "download", "log", "tracked files",
]  # fmt: skip
DAY = 86_400.0
#: Nobody writes on one file for longer.
TEMPORARY_SECONDS = 3600.0
# What yt-dlp leaves, and would go on with.
_PARTIAL = frozenset((".part", ".ytdl"))
_PACKED = re.compile(r"[0-9a-f]{16}(\..+)?")


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that can go.

    Parameters
    ----------
    kind : str
        What it is.
    name : str
        A path: below the store's root for features, below the workspace otherwise.
    size : int
        Bytes.
    modified : float
        When it was written, seconds since 1970.
    reason : str
        Why it can go.
    """

    kind: Kind
    name: str
    size: int
    modified: float
    reason: str


def unreachable_features(
    store: FeatureStore,
    keys: Iterable[FeatureKey],
    *,
    removed: Iterable[RemovedClip],
    grace_days: float,
    folders: Collection[str] = (),
) -> Iterator[Leftover]:
    """Find features that neither settings nor clips in use can reach.

    Parameters
    ----------
    store : FeatureStore
        The store.
    keys : iterable of FeatureKey
        Every key in use.
    removed : iterable of RemovedClip
        Clips that may come back.
    grace_days : float
        How long is kept what was written, what is of settings that were planned with, and what is
        of a removed clip; temporary files are kept for :data:`TEMPORARY_SECONDS`.
    folders : collection of str
        Of settings that runs in use were trained with, as :func:`run_folders`: where no key in use
        is, all of the clips in use is kept.

    Yields
    ------
    Leftover
        One a file.
    """
    now = datetime.now(UTC)
    back = {entry.clip_id for entry in removed if entry.age_days(now) < grace_days}
    reached = list(keys)
    clips = {key.clip_id for key in reached}
    # what these settings reach is known: the rest is of words that clips do not have any more
    out_of_use = set(folders) - {key.path.rpartition("/")[0] for key in reached}
    unreachable = store.unreachable(reached)
    planned = {
        stored.path.rpartition("/")[0]: stored.modified
        for stored in unreachable
        if stored.path.endswith(f"/{DESCRIPTION}")
    }
    for stored in unreachable:
        age = now.timestamp() - stored.modified
        if _is_temporary(stored.path):
            kept, reason = age < TEMPORARY_SECONDS, "left by a run that was killed"
        else:
            # those of other settings may be what another configuration of this workspace uses
            unused = now.timestamp() - planned.get(stored.path.rpartition("/")[0], 0.0)
            young = stored.modified == 0 or min(age, unused) < grace_days * DAY
            folder, _, name = stored.path.rpartition("/")
            used = folder in out_of_use and (name == DESCRIPTION or name[:64] in clips)
            kept = young or used or name[:64] in back
            reason = "no clip and no settings in use"
        if not kept:
            yield _feature("features", stored, reason)


def run_folders(workspace: Workspace, *, runs: Collection[str]) -> set[str]:
    """List the folders of a store that the data of runs are from.

    Parameters
    ----------
    workspace : Workspace
        Whose.
    runs : collection of str
        Ids; a run that does not say, as those of earlier days, has none.

    Returns
    -------
    set of str
        As :func:`pipeline.store.settings_folders`.
    """
    configs = (_config_of(workspace.runs / run) for run in runs)
    return {str(folder) for config in configs for folder in config.get("features", ())}


def damaged_features(store: FeatureStore, stored: Iterable[StoredFile]) -> Iterator[Leftover]:
    """Find features that do not have their digest: without them they are extracted again.

    Parameters
    ----------
    store : FeatureStore
        The store.
    stored : iterable of StoredFile
        What is read.

    Yields
    ------
    Leftover
        One a file, the reason being what is wrong.
    """
    for entry, message in store.damaged(stored):
        yield _feature("damaged features", entry, message)


def unused_runs(
    workspace: Workspace, *, keep: Collection[str], newest: int, interrupted_days: float
) -> Iterator[Leftover]:
    """Find runs that nobody asks for any more.

    Parameters
    ----------
    workspace : Workspace
        Whose.
    keep : collection of str
        Ids that are in use, whatever their age.
    newest : int
        How many complete runs are kept, those in use among them.
    interrupted_days : float
        How long an interrupted run may be gone on with.

    Yields
    ------
    Leftover
        The oldest first.
    """
    complete: list[tuple[float, Path]] = []
    for folder in sorted(path for path in workspace.runs.glob("[!.]*") if path.is_dir()):
        finished = _finished(folder)
        if finished is not None:
            complete.append((finished, folder))
        elif folder.name not in keep and (at := _touched(folder)) < _ago(interrupted_days):
            why = f"was stopped more than {interrupted_days:g} days ago"
            yield _local("interrupted run", folder, workspace, why, modified=at)
    complete.sort(reverse=True)
    spare = [entry for entry in complete if entry[1].name not in keep]
    room = max(0, newest - (len(complete) - len(spare)))
    for finished, folder in reversed(spare[room:]):
        why = f"{newest} runs are kept"
        yield _local("run", folder, workspace, why, modified=finished)


def unused_packed(workspace: Workspace, *, runs: Collection[str]) -> Iterator[Leftover]:
    """Find packed data that can be packed again and that no run in use was trained on.

    Parameters
    ----------
    workspace : Workspace
        Whose.
    runs : collection of str
        Ids of runs whose data are kept.

    Yields
    ------
    Leftover
        All but those and the one that was used last.
    """
    there = [path for path in workspace.packed.glob("*") if _PACKED.fullmatch(path.name)]
    used = {_data_of(workspace.runs / run)[:16] for run in runs}
    last = max(there, key=_touched, default=None)
    for path in sorted(there):
        if path != last and path.name[:16] not in used:
            yield _local("packed data", path, workspace, "no run in use was trained on it")


def interrupted_runs(workspace: Workspace) -> set[str]:
    """List the runs without a report.

    Parameters
    ----------
    workspace : Workspace
        Whose.

    Returns
    -------
    set of str
        Their ids.
    """
    folders = (path for path in workspace.runs.glob("[!.]*") if path.is_dir())
    return {folder.name for folder in folders if _finished(folder) is None}


def old_files(
    workspace: Workspace, *, days: float, apart_from: Collection[Path] = ()
) -> Iterator[Leftover]:
    """Find what killed runs left half written, and logs that nobody writes any more.

    Parameters
    ----------
    workspace : Workspace
        Whose.
    days : float
        Of a log's last line.
    apart_from : collection of Path
        Folders that are looked after otherwise.

    Yields
    ------
    Leftover
        One a file or folder.
    """
    for place, folders, files in os.walk(workspace.root):
        folder = Path(place)
        whole = {name for name in folders if _is_temporary(name)}
        folders[:] = [
            name for name in folders if name not in whole and folder / name not in apart_from
        ]
        for path in (folder / name for name in (*whole, *files)):
            if _is_temporary(path.name):
                if _touched(path) < time.time() - TEMPORARY_SECONDS:
                    yield _local("temporary file", path, workspace, "left by a run that was killed")
            elif _touched(path) < _ago(days):
                if path.suffix == ".log":
                    yield _local("log", path, workspace, f"nothing was added for {days:g} days")
                elif folder == workspace.downloads and path.suffix in _PARTIAL:
                    yield _local("temporary file", path, workspace, "a download that was stopped")


def tracked_files(workspace: Workspace) -> Iterator[Leftover]:
    """Find what MLflow keeps of runs that were deleted; their figures stay in its database.

    Parameters
    ----------
    workspace : Workspace
        Whose.

    Yields
    ------
    Leftover
        One a folder of artifacts; those of an MLflow server of its own are not looked for.
    """
    for report in workspace.root.glob("mlartifacts/[!.]*/artifacts/report.json"):
        try:
            run = str(json.loads(report.read_bytes())["id"])
        except (ValueError, KeyError):
            continue
        if not (workspace.runs / run).exists():
            yield _local("tracked files", report.parents[1], workspace, "their run was deleted")


def unused_downloads(workspace: Workspace, *, grace_days: float) -> Iterator[Leftover]:
    """Find what was fetched from addresses that no ingest names any more.

    Parameters
    ----------
    workspace : Workspace
        Whose.
    grace_days : float
        How long they may be named again.

    Yields
    ------
    Leftover
        One a video; what lies beside it goes with it.
    """
    now = datetime.now(UTC)
    removed = read_manifest(workspace.removed, RemovedClip)
    old = {entry.path for entry in removed if entry.age_days(now) >= grace_days}
    used = {clip.path for clip in read_manifest(workspace.clips, Clip)}
    for item in list_downloads(workspace.downloads):
        path = Path(item.path).resolve()
        if path.is_file() and str(path) in old - used:
            why = f"its address was not named for {grace_days:g} days"
            yield _local("download", path, workspace, why)


def size_of(path: Path) -> int:
    """Add up what files take.

    Parameters
    ----------
    path : Path
        A file or a folder, there or not.

    Returns
    -------
    int
        Bytes; locks, and what vanishes meanwhile, count nothing.
    """
    if path.is_file():
        return path.stat().st_size
    total = 0
    for place, _, files in os.walk(path):
        for name in (name for name in files if not name.endswith(".lock")):
            try:
                total += (Path(place) / name).lstat().st_size
            except FileNotFoundError:
                continue
    return total


def _feature(kind: Kind, stored: StoredFile, reason: str) -> Leftover:
    return Leftover(
        kind=kind, name=stored.path, size=stored.size, modified=stored.modified, reason=reason
    )


def _local(
    kind: Kind, path: Path, workspace: Workspace, reason: str, *, modified: float | None = None
) -> Leftover:
    return Leftover(
        kind=kind,
        name=str(path.relative_to(workspace.root)),
        size=size_of(path),
        modified=_touched(path) if modified is None else modified,
        reason=reason,
    )


def _is_temporary(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith(".") and name.endswith(".part")


def _ago(days: float) -> float:
    return time.time() - days * DAY


def _touched(path: Path) -> float:
    """When anything in it was written; the future for what has just gone."""
    try:
        inside = [entry.stat().st_mtime for entry in path.rglob("*")] if path.is_dir() else []
        return max([path.stat().st_mtime, *inside])
    except FileNotFoundError:
        return time.time()


def _finished(folder: Path) -> float | None:
    """When a run was complete; None if it is not."""
    report = folder / "report.json"
    if not report.exists():
        return None
    try:
        created = str(json.loads(report.read_bytes())["created"])
        return datetime.fromisoformat(created).timestamp()
    except (ValueError, KeyError):
        # damaged: complete nevertheless
        return report.stat().st_mtime


def _data_of(run: Path) -> str:
    return str(_config_of(run).get("data_digest", ""))


def _config_of(run: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((run / "config.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        # an interrupted run that had not come so far
        return {}
