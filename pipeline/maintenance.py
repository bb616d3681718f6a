"""Keep a workspace from growing for ever, without losing anything that is in use."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.chain import Project
from pipeline.download import delete_download
from pipeline.errors import WorkspaceError
from pipeline.leftovers import (
    Leftover,
    damaged_features,
    interrupted_runs,
    old_files,
    run_folders,
    size_of,
    tracked_files,
    unreachable_features,
    unused_downloads,
    unused_packed,
    unused_runs,
)
from pipeline.maintenance_config import MaintenanceConfig
from pipeline.manifest import read_manifest
from pipeline.removals import RemovedClip
from pipeline.run_folder import discard_run
from pipeline.store import StoredFile
from pipeline.workspace import Workspace
from pipeline.workspace_lock import is_locked, workspace_lock

_FEATURES = frozenset(("features", "damaged features"))
_RUNS = frozenset(("run", "interrupted run"))


@dataclass(frozen=True, kw_only=True)
class Maintenance:
    """What a maintenance did, or would do.

    Parameters
    ----------
    removed : tuple of Leftover
        What was deleted.
    before, after : int
        Bytes of the workspace and its store.
    limit : int or None
        Bytes that they may take.
    dry_run : bool
        Whether nothing was deleted.
    """

    removed: tuple[Leftover, ...]
    before: int
    after: int
    limit: int | None
    dry_run: bool

    @property
    def damaged(self) -> tuple[Leftover, ...]:
        """Stored features that did not have their digest."""
        return tuple(entry for entry in self.removed if entry.kind == "damaged features")

    @property
    def too_large(self) -> bool:
        """Whether what is in use takes more than the limit."""
        return self.limit is not None and self.after > self.limit

    def rows(self) -> list[dict[str, Any]]:
        """Count by kind and reason, for a table.

        Returns
        -------
        list of dict
            ``kind``, ``reason``, ``count`` and ``bytes``; damaged features one by one.
        """
        counts = Counter((entry.kind, entry.reason) for entry in self.removed)
        sizes: Counter[tuple[str, str]] = Counter()
        for entry in self.removed:
            sizes[entry.kind, entry.reason] += entry.size
        return [
            {"kind": kind, "reason": reason, "count": count, "bytes": sizes[kind, reason]}
            for (kind, reason), count in sorted(counts.items())
        ]

    def summary(self) -> str:
        """Say it in a line.

        Returns
        -------
        str
            Such as ``12 deleted, 3.1 MB freed: 20.0 MB before, 16.9 MB after``.
        """
        verb = "would be deleted" if self.dry_run else "deleted"
        line = (
            f"{len(self.removed)} {verb}, {(self.before - self.after) / 1e6:.1f} MB freed: "
            f"{self.before / 1e6:.1f} MB before, {self.after / 1e6:.1f} MB after"
        )
        if self.too_large and self.limit is not None:
            line += (
                f"; what is in use takes more than maintenance.max_gigabytes allows "
                f"({self.limit / 1e6:.1f} MB)"
            )
        return line


def maintain(project: Project, *, dry_run: bool = False) -> Maintenance:
    """Verify the store, and delete what nothing in use needs.

    What is in use: features that the ingested clips and the settings reach, or would with the
    settings of a run that is kept, and those of removed clips for a while; the champion's run, the
    latest, and those that are being trained; the newest complete runs; the data that those in use
    were trained on; the last packed data. May be killed
    at any time: each deletion is one rename or one file, and the next maintenance does the rest.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    dry_run : bool
        Only say what would be deleted.

    Returns
    -------
    Maintenance
        What was deleted, and what the workspace takes.

    Raises
    ------
    WorkspaceError
        With code ``workspace_in_use`` if another run is at work in the workspace all the time.
    """
    project = replace(project, workspace=Workspace(root=project.workspace.root.resolve()))
    config = project.config.maintenance
    # hours for a large store; whole files never change, so that this needs no lock
    damaged = list(damaged_features(project.store, project.store.files())) if config.verify else []
    with nullcontext() if dry_run else project.locked("maintain"):
        before = _size(project)
        # what another run has made anew meanwhile is not deleted
        damaged = list(damaged_features(project.store, map(_stored, damaged)))
        limit = None if config.max_gigabytes is None else round(config.max_gigabytes * 1e9)
        chosen = _choose(project, damaged, before, limit)
        removed = chosen if dry_run else _delete(project, chosen)
        freed = sum(entry.size for entry in removed)
        return Maintenance(
            removed=tuple(removed),
            before=before,
            after=before - freed if dry_run else _size(project),
            limit=limit,
            dry_run=dry_run,
        )


def _choose(
    project: Project, damaged: list[Leftover], before: int, limit: int | None
) -> list[Leftover]:
    config = project.config.maintenance
    # a damaged sequence of settings out of use is found twice
    chosen = {entry.name: entry for entry in (*_leftovers(project, config), *damaged)}
    over = 0 if limit is None else before - limit - sum(e.size for e in chosen.values())
    if over > 0:
        tight = replace(config, keep_runs=1, grace_days=0.0)
        for entry in sorted(_leftovers(project, tight), key=_least_missed):
            if over > 0 and entry.name not in chosen and entry.kind != "download":
                chosen[entry.name] = entry
                over -= entry.size
    return list(chosen.values())


def _least_missed(entry: Leftover) -> tuple[bool, float]:
    """Features cost the most to make again, and go last; the oldest go first."""
    return entry.kind in _FEATURES, entry.modified


def _leftovers(project: Project, config: MaintenanceConfig) -> Iterator[Leftover]:
    workspace = project.workspace
    in_use = _runs_in_use(workspace)
    going = list(
        unused_runs(
            workspace,
            keep=in_use,
            newest=config.keep_runs,
            interrupted_days=config.interrupted_days,
        )
    )
    yield from _features(project, config, without={Path(entry.name).name for entry in going})
    yield from going
    yield from unused_packed(workspace, runs=in_use | interrupted_runs(workspace))
    inner = workspace.for_predictions
    for entry in unused_packed(inner, runs=()):
        yield replace(entry, name=str((inner.root / entry.name).relative_to(workspace.root)))
    apart_from = [workspace.features]
    yield from old_files(workspace, days=config.interrupted_days, apart_from=apart_from)
    yield from tracked_files(workspace)
    yield from unused_downloads(workspace, grace_days=config.grace_days)


def _features(
    project: Project, config: MaintenanceConfig, *, without: set[str]
) -> Iterator[Leftover]:
    """Find features that neither the settings nor any run but these can use."""
    workspace = project.workspace
    shared = project.config.store is not None and not config.sole_user
    # without a manifest nobody knows what is in use
    if shared or not workspace.clips.exists():
        return
    removed = read_manifest(workspace.removed, RemovedClip)
    inner = read_manifest(workspace.for_predictions.removed, RemovedClip)
    runs = {path.name for path in workspace.runs.glob("[!.]*") if path.is_dir()} - without
    yield from unreachable_features(
        project.store,
        project.keys(),
        removed=(*removed, *inner),
        grace_days=config.grace_days,
        folders=run_folders(workspace, runs=runs),
    )


def _runs_in_use(workspace: Workspace) -> set[str]:
    """Find the latest, the champion, the one before it, and what is being trained."""
    there = {path.name for path in workspace.runs.glob("[!.]*") if path.is_dir()}
    named = _champions(workspace)
    latest = workspace.runs / "latest"
    if latest.exists():
        named.add(latest.read_text().strip())
    return {run for run in there if run in named or is_locked(workspace, run=run)}


def _champions(workspace: Workspace) -> set[str]:
    """Read the champion and the one before it, to which one may go back."""
    path = workspace.root / "champion.json"
    champion = json.loads(path.read_bytes()) if path.exists() else {}
    return {str(champion[name]) for name in ("run", "previous") if champion.get(name)}


def _delete(project: Project, chosen: list[Leftover]) -> list[Leftover]:
    workspace = project.workspace
    project.store.remove(_stored(entry) for entry in chosen if entry.kind in _FEATURES)
    removed = []
    for entry in chosen:
        path = workspace.root / entry.name
        if entry.kind in _RUNS:
            if not _delete_run(workspace, path.name):
                continue
        elif entry.kind == "download":
            delete_download(workspace.downloads, path)
        elif path.is_dir() and entry.kind not in _FEATURES:
            _delete_folder(path)
        elif entry.kind not in _FEATURES:
            path.unlink(missing_ok=True)
        removed.append(entry)
    return removed


def _stored(entry: Leftover) -> StoredFile:
    return StoredFile(entry.name, entry.size, entry.modified)


def _delete_folder(path: Path) -> None:
    """Delete a folder; at once, so that nobody finds half of it."""
    aside = path
    if not path.name.startswith("."):
        aside = path.with_name(f".{path.name}.part")
        path.rename(aside)
    shutil.rmtree(aside)


def _delete_run(workspace: Workspace, run: str) -> bool:
    """Delete a run unless somebody has begun to train it."""
    try:
        with workspace_lock(workspace, step="maintain", wait_seconds=0.0, run=run):
            discard_run(workspace.runs, run)
            return True
    except WorkspaceError:
        return False


def _size(project: Project) -> int:
    size = size_of(project.workspace.root)
    if project.config.store is not None:
        size += sum(stored.size for stored in project.store.files())
    return size
