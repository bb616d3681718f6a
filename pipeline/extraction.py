"""Compute the features that are missing, keep failures, lose nothing."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as TimedOut
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pebble import ProcessExpired, ProcessPool
from threadpoolctl import threadpool_limits

from extractors.base import Extractor
from extractors.errors import ExtractorError
from extractors.media import Media
from pipeline.config import build_extractors
from pipeline.disk_space import is_disk_full
from pipeline.errors import PipelineError, WorkspaceError
from pipeline.extraction_plan import ClipJob, ExtractionPlan
from pipeline.freshness import refuse_changed
from pipeline.records import Clip, Failure
from pipeline.store import FeatureKey, FeatureStore

#: A clip may take this long, and this many times its length; then its process is killed.
PATIENCE_SECONDS, PATIENCE_FACTOR = 120.0, 60.0


class Outcome(NamedTuple):
    """What became of one extractor on one clip.

    Attributes
    ----------
    extractor : str
        Its name.
    seconds : float
        Time taken.
    failure : Failure or None
        Why nothing was stored; None if it was.
    """

    extractor: str
    seconds: float
    failure: Failure | None


@dataclass(frozen=True, kw_only=True)
class ExtractionReport:
    """What an extraction did.

    Parameters
    ----------
    extracted, stored, failed : dict of str to int
        Extractor name to counts: newly extracted, there before, failed.
    seconds : dict of str to float
        Extractor name to time spent in all processes.
    clip_seconds : float
        Length of the clips that something was extracted from.
    failures : tuple of Failure
        One for each that failed.
    """

    extracted: dict[str, int]
    stored: dict[str, int]
    failed: dict[str, int]
    seconds: dict[str, float]
    clip_seconds: float
    failures: tuple[Failure, ...]

    @classmethod
    def merged(cls, reports: Sequence["ExtractionReport"]) -> "ExtractionReport":
        """Add up what the shards of one plan did.

        Parameters
        ----------
        reports : sequence of ExtractionReport
            Of disjoint shards of one plan, at least one.

        Returns
        -------
        ExtractionReport
            Sums; ``stored`` is the plan's.
        """

        def total(field: str) -> dict[str, Any]:
            parts = [getattr(report, field) for report in reports]
            return {name: sum(part[name] for part in parts) for name in parts[0]}

        return cls(
            extracted=total("extracted"),
            stored=dict(reports[0].stored),
            failed=total("failed"),
            seconds=total("seconds"),
            clip_seconds=sum(report.clip_seconds for report in reports),
            failures=tuple(failure for report in reports for failure in report.failures),
        )

    def facts(self) -> dict[str, Any]:
        """Give the counts as plain values, for a run's report."""
        counts = asdict(self)
        del counts["failures"]
        return counts


def run_extraction(
    *,
    plan: ExtractionPlan,
    extractors: dict[str, dict[str, Any]],
    store_root: str,
    processes: int,
    on_clip: Callable[[Clip], None] = lambda clip: None,
) -> ExtractionReport:
    """Extract what is missing in processes of their own.

    A clip that raises, crashes its process or takes too long becomes a Failure; the others go on.
    Each sequence is stored as soon as it is made, so a run that is killed loses no finished work.

    Parameters
    ----------
    plan : ExtractionPlan
        What is missing.
    extractors : dict of str to dict
        Registered name to settings.
    store_root : str
        The store's folder or URL.
    processes : int
        How many at a time; 0 for one a processor core.
    on_clip : callable, optional
        Told of every clip that is done.

    Returns
    -------
    ExtractionReport
        Counts by extractor.

    Raises
    ------
    WorkspaceError
        With code ``disk_full`` as soon as a sequence finds no room; those before are stored.
    """
    outcomes: list[Outcome] = []
    store = FeatureStore(store_root)
    if plan.jobs:
        workers = min(processes or os.cpu_count() or 1, len(plan.jobs))
        with ProcessPool(
            max_workers=workers,
            context=get_context("spawn"),
            initializer=_start_worker,
            initargs=(os.getpid(), extractors, store_root),
        ) as pool:
            pending: dict[Any, ClipJob] = {
                pool.schedule(_work, args=(job,), timeout=_patience(job.clip)): job
                for job in plan.jobs
            }
            try:
                for done in as_completed(pending):
                    latest = _collect(done, pending[done], store)
                    _refuse_full_disk(latest, store, len(outcomes))
                    outcomes += latest
                    on_clip(pending[done].clip)
            except BaseException:
                pool.stop()  # type: ignore[no-untyped-call]
                raise
    return _report(plan, outcomes, list(extractors))


def extract_clip(
    *, job: ClipJob, extractors: Mapping[str, Extractor], store: FeatureStore
) -> list[Outcome]:
    """Extract and store what is missing of one clip.

    This is the one place where any exception becomes data: whatever an extractor meets in a clip
    must not cost another clip.

    Parameters
    ----------
    job : ClipJob
        Clip and what is missing.
    extractors : mapping of str to Extractor
        Configured, by name.
    store : FeatureStore
        Where to.

    Returns
    -------
    list of Outcome
        One for each missing sequence.
    """
    media = Media(path=Path(job.clip.path), words=job.words)
    outcomes = []
    for name, key in job.missing.items():
        started = time.perf_counter()
        failure = _try(job.clip, media, extractors[name], key, store)
        outcomes.append(Outcome(name, time.perf_counter() - started, failure))
    return outcomes


def _try(
    clip: Clip, media: Media, extractor: Extractor, key: FeatureKey, store: FeatureStore
) -> Failure | None:
    writing = False
    try:
        refuse_changed(clip)
        sequence = extractor.extract(media)
        refuse_changed(clip)
        writing = True
        store.put(key, sequence)
    except Exception as error:  # noqa: BLE001
        code = _code(error, writing=writing)
        return _failure(clip, extractor.name, code, f"{type(error).__name__}: {error}")
    return None


def _patience(clip: Clip) -> float:
    return PATIENCE_SECONDS + PATIENCE_FACTOR * clip.duration


def _code(error: Exception, *, writing: bool) -> str:
    if is_disk_full(error):
        return "disk_full"
    if writing:
        return "not_written"
    if isinstance(error, ExtractorError | PipelineError):
        return error.code
    return "out_of_memory" if isinstance(error, MemoryError) else "unexpected"


def _failure(clip: Clip, extractor: str, code: str, detail: str) -> Failure:
    return Failure(
        item=clip.path, step=f"extract:{extractor}", code=code, detail=detail, clip_id=clip.id
    )


def _collect(done: Any, job: ClipJob, store: FeatureStore) -> list[Outcome]:
    try:
        outcomes: list[Outcome] = done.result()
    except TimedOut:
        code, detail = "timed_out", f"took longer than {_patience(job.clip):.0f} s and was stopped"
    except ProcessExpired as error:
        code, detail = "crashed", f"its process died ({error})"
    else:
        return outcomes
    # What was stored before the process ended is not lost.
    return [
        Outcome(name, 0.0, None if key in store else _failure(job.clip, name, code, detail))
        for name, key in job.missing.items()
    ]


def _refuse_full_disk(latest: Sequence[Outcome], store: FeatureStore, before: int) -> None:
    """End the run: to decode the other clips would be for nothing."""
    for outcome in latest:
        if outcome.failure is not None and outcome.failure.code == "disk_full":
            raise WorkspaceError(
                f"{store.root}: the disk is full ({outcome.failure.detail}) after {before} others; "
                "free some space and run again: only what is not stored is extracted",
                code="disk_full",
            )


def _report(plan: ExtractionPlan, outcomes: list[Outcome], names: list[str]) -> ExtractionReport:
    extracted = Counter(o.extractor for o in outcomes if o.failure is None)
    failed = Counter(o.extractor for o in outcomes if o.failure is not None)
    seconds: Counter[str] = Counter()
    for outcome in outcomes:
        seconds[outcome.extractor] += outcome.seconds  # type: ignore[assignment]
    return ExtractionReport(
        extracted={name: extracted[name] for name in names},
        stored={name: plan.stored[name] for name in names},
        failed={name: failed[name] for name in names},
        seconds={name: float(seconds[name]) for name in names},
        clip_seconds=sum(job.clip.duration for job in plan.jobs),
        failures=tuple(o.failure for o in outcomes if o.failure is not None),
    )


class _Worker:
    """What a worker process keeps warm between clips."""

    extractors: Mapping[str, Extractor]
    store: FeatureStore


def _start_worker(parent: int, extractors: dict[str, dict[str, Any]], store_root: str) -> None:
    # One process a core is faster than threads that compete for all cores.
    threadpool_limits(limits=1)
    torch.set_num_threads(1)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    _Worker.extractors = build_extractors(extractors)
    _Worker.store = FeatureStore(store_root)


def _die_with(parent: int) -> None:
    """End this process when its parent was killed and so cannot stop it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _work(job: ClipJob) -> list[Outcome]:
    return extract_clip(job=job, extractors=_Worker.extractors, store=_Worker.store)
