"""Extract a shard where it was sent: in this process's threads, or on another machine."""

import os
import platform
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.clip_pool import warm_pool
from pipeline.errors import SourceError, StoreError
from pipeline.extraction import ExtractionReport, run_extraction
from pipeline.extraction_plan import ClipJob, ExtractionPlan
from pipeline.records import Clip
from pipeline.store import FeatureStore


class Shard:
    """A part of a plan with everything that a worker must know to extract it.

    It is no dataclass, because Prefect and Dask look into those, clip by clip.

    Parameters
    ----------
    plan : ExtractionPlan
        Which clips.
    extractors : dict of str to dict
        Registered name to settings.
    store : FeatureStore
        Where to; a folder must be the same one everywhere.
    """

    def __init__(
        self, plan: ExtractionPlan, *, extractors: dict[str, dict[str, Any]], store: FeatureStore
    ) -> None:
        self.plan, self.extractors, self.store = plan, extractors, store


def extract_here(
    shard: Shard, *, processes: int, on_clip: Callable[[Clip], None] = lambda clip: None
) -> ExtractionReport:
    """Extract a shard in the warm processes of whatever process this is.

    No lock is taken: whoever sends shards holds the workspace's.

    Parameters
    ----------
    shard : Shard
        What to do.
    processes : int
        Of this process; 0 for one a processor core.
    on_clip : callable, optional
        Told of every clip that is done.

    Returns
    -------
    ExtractionReport
        Counts; what a worker that was lost had stored of the shard is in none.

    Raises
    ------
    SourceError
        With code ``not_on_worker`` if this machine does not see the clips' folders.
    StoreError
        With code ``not_on_worker`` if this machine does not see the store that was planned with.
    """
    _require_folders(job.clip for job in shard.plan.jobs)
    _require_store(shard.plan, shard.store)
    work: dict[str, Any] = {
        "extractors": shard.extractors,
        "store": shard.store,
        "processes": processes or os.cpu_count() or 1,
    }
    with warm_pool(**work) as pool:
        return run_extraction(
            plan=_left(shard.plan, shard.store), **work, pool=pool, on_clip=on_clip
        )


def _left(plan: ExtractionPlan, store: FeatureStore) -> ExtractionPlan:
    """Leave out what a worker that was lost had stored of the shard."""
    wanted = [key for job in plan.jobs for key in job.missing.values()]
    there = store.present(wanted)
    jobs = (
        replace(job, missing={n: key for n, key in job.missing.items() if key not in there})
        for job in plan.jobs
    )
    return replace(plan, jobs=tuple(job for job in jobs if job.missing))


def _require_folders(clips: Iterable[Clip]) -> None:
    folders = {Path(clip.path).parent for clip in clips}
    for folder in sorted(folders):
        if not folder.is_dir():
            raise SourceError(
                f"{folder}: not there on {platform.node()}, which was sent clips of it; mount it "
                "under the same path on every worker, or set runner: local",
                code="not_on_worker",
            )


def _require_store(plan: ExtractionPlan, store: FeatureStore) -> None:
    """See to it that features do not go to a folder that only has the same name."""
    for name, key in _one_of_each(plan.jobs).items():
        if not store.is_noted(key):
            raise StoreError(
                f"{store.root}: on {platform.node()} not the store that was planned with (it does "
                f"not know these settings of {name}); share the folder under the same path, "
                "name a bucket as `store`, or set runner: local",
                code="not_on_worker",
            )


def _one_of_each(jobs: Iterable[ClipJob]) -> dict[str, Any]:
    return {name: key for job in jobs for name, key in job.missing.items()}
