"""Whether what is to be written finds room, told before it is made."""

import errno
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import WorkspaceError
from pipeline.extraction_plan import ExtractionPlan
from pipeline.records import Clip
from pipeline.store import FeatureKey, FeatureStore

#: Bytes a second of clip for an extractor of which nothing is stored: about what covarep's 74
#: columns at 100 Hz take, the most of the extractors here.
BYTES_PER_SECOND = 32_000.0


def is_disk_full(error: BaseException) -> bool:
    """Tell whether an error means that a disk, or what its user may have of it, is full.

    Parameters
    ----------
    error : BaseException
        Anything.

    Returns
    -------
    bool
        For ``ENOSPC`` and ``EDQUOT``.
    """
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def missing_bytes(plan: ExtractionPlan, *, clips: Iterable[Clip], store: FeatureStore) -> int:
    """Estimate the size of what a plan will store.

    Parameters
    ----------
    plan : ExtractionPlan
        What is there and what is missing.
    clips : iterable of Clip
        All clips of the plan.
    store : FeatureStore
        Where it will lie.

    Returns
    -------
    int
        Bytes: for each extractor the mean of what it has stored of these clips a second, or
        :data:`BYTES_PER_SECOND`, times the seconds that are missing.
    """
    if not plan.jobs:
        return 0
    durations = {clip.id: clip.duration for clip in clips}
    sizes = {stored.path: stored.size for stored in store.files()}
    there: dict[str, list[tuple[float, float]]] = {}
    for clip_id, by_name in plan.keys.items():
        for name, key in by_name.items():
            if key.path in sizes:
                there.setdefault(name, []).append((sizes[key.path], durations[clip_id]))
    rates = {name: float(np.divide(*np.sum(stored, axis=0))) for name, stored in there.items()}
    wanted = ((job.clip.duration, name) for job in plan.jobs for name in job.missing)
    return round(sum(seconds * rates.get(name, BYTES_PER_SECOND) for seconds, name in wanted))


def require_space_for(
    plan: ExtractionPlan, *, clips: Iterable[Clip], store: FeatureStore, reserve: int
) -> None:
    """Refuse a plan for which the store's disk has no room.

    Parameters
    ----------
    plan, clips, store
        As for :func:`missing_bytes`.
    reserve : int
        Bytes to be left free, >= 0.

    Raises
    ------
    WorkspaceError
        As :func:`require_space`.
    """
    if _local(store.root) is None:
        # to list a bucket takes long, and says nothing of room
        return
    require_space(
        store.root,
        needed=missing_bytes(plan, clips=clips, store=store),
        reserve=reserve,
        purpose=f"extraction from {len(plan.jobs)} clips",
    )


def stored_bytes(keys: Iterable[FeatureKey], *, store: FeatureStore) -> int:
    """Measure what is stored: a bound of what packing it takes, if utterances do not overlap.

    Parameters
    ----------
    keys : iterable of FeatureKey
        Those that are not stored count nothing.
    store : FeatureStore
        Where they lie.

    Returns
    -------
    int
        Bytes.
    """
    wanted = {key.path for key in keys}
    return sum(stored.size for stored in store.files() if stored.path in wanted)


def require_space(folder: Path | str, *, needed: int, reserve: int, purpose: str) -> None:
    """Refuse to begin what does not find room.

    Parameters
    ----------
    folder : Path or str
        Where it will be written, made or not; an address that is no local folder has room.
    needed : int
        Bytes to be written, >= 0; nothing is refused that writes nothing.
    reserve : int
        Bytes to be left free, >= 0.
    purpose : str
        What is to be written, for the message.

    Raises
    ------
    WorkspaceError
        With code ``disk_full``; the message says what is needed and what is free.
    """
    place = _local(folder)
    if needed == 0 or place is None:
        return
    there = next(path for path in (place, *place.parents) if path.exists())
    free = shutil.disk_usage(there).free
    if free < needed + reserve:
        raise WorkspaceError(
            f"{folder}: {purpose} needs about {needed / 1e6:.1f} MB and leaves "
            f"{reserve / 1e6:.1f} MB (reserve_megabytes) free, but {free / 1e6:.1f} MB are free; "
            "free some, name a place with more, or see `winnow store gc`",
            code="disk_full",
        )


def _local(folder: Path | str) -> Path | None:
    files, place = url_to_fs(str(folder))
    return Path(place) if isinstance(files, LocalFileSystem) else None
