"""Compute the features that are missing, keep failures, lose nothing."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TimedOut
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from pebble import ProcessExpired

from pipeline.clip_extraction import Outcome, clip_failure
from pipeline.clip_pool import ClipPool, patience
from pipeline.errors import PipelineError, WorkspaceError
from pipeline.extraction_plan import ClipJob, ExtractionPlan
from pipeline.records import Clip, Failure
from pipeline.store import FeatureStore

#: How often processes are replaced that all die before they do anything.
ATTEMPTS = 3
#: How often a wait for clips asks whether the processes are still there.
POLL_SECONDS = 5.0
#: So many new clips that all fail are no chance.
FEWEST_SUSPICIOUS = 3
_T = TypeVar("_T")


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
    store: FeatureStore,
    processes: int,
    pool: ClipPool | None = None,
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
    store : FeatureStore
        Where to.
    processes : int
        How many at a time; 0 for one a processor core.
    pool : ClipPool, optional
        Warm processes for these extractors and this store, which are used instead of new ones.
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
    if plan.jobs:
        if pool is None:
            workers = min(processes or os.cpu_count() or 1, len(plan.jobs))
            made = ClipPool(extractors=extractors, store=store, processes=workers)
            with closing(made):
                outcomes = _outcomes(plan, made, store, on_clip)
        else:
            outcomes = _outcomes(plan, pool, store, on_clip)
    return _report(plan, outcomes, list(extractors))


def refuse_all_failed(
    plan: ExtractionPlan, report: ExtractionReport, *, before: Collection[str] = ()
) -> None:
    """Refuse an extraction that gave nothing: some clips that fail are data, all are an incident.

    Where others were extracted before, one or two new clips may be broken without anything else
    being wrong, and no retraining has to wait for them, nor for those that failed before.

    Parameters
    ----------
    plan : ExtractionPlan
        What was missing; one without clips is no failure.
    report : ExtractionReport
        What became of it.
    before : collection of str
        Ids of clips that had failed before.

    Raises
    ------
    PipelineError
        With code ``all_failed``, how many, the commonest reason and what to do, if every clip
        failed, nothing was extracted from any, and nothing is stored or three or more are new.
    """
    failed = {failure.clip_id for failure in report.failures}
    planned = {job.clip.id for job in plan.jobs}
    if not planned or any(report.extracted.values()) or not planned <= failed:
        return
    if any(plan.stored.values()) and len(planned.difference(before)) < FEWEST_SUSPICIOUS:
        return
    ((code, count),) = Counter(failure.code for failure in report.failures).most_common(1)
    first = next(failure for failure in report.failures if failure.code == code)
    raise PipelineError(
        f"nothing could be extracted: all {len(planned)} clips that were missing failed, "
        f"{len(report.failures)} times in all and {count} with {code} (first, {first.step}: "
        f"{first.detail}). What is stored stays. Set right what that says and run again; a clip "
        "that fails again and again is left alone until `winnow quarantine clear`",
        code="all_failed",
    )


def _outcomes(
    plan: ExtractionPlan, pool: ClipPool, store: FeatureStore, on_clip: Callable[[Clip], None]
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    left, attempts = list(plan.jobs), ATTEMPTS
    while left and attempts:
        lost = []
        for job, done in _finished(left, pool):
            try:
                latest = _collect(done, job, store)
            except BrokenProcessPool:
                lost.append(job)
                continue
            _refuse_full_disk(latest, store, len(outcomes))
            outcomes += latest
            on_clip(job.clip)
        attempts = attempts - 1 if len(lost) == len(left) else ATTEMPTS
        left = lost
    if left:
        raise WorkspaceError(
            f"{len(left)} clips: the processes that extract them died before they began, "
            f"{ATTEMPTS} times; is there memory for them? With a lower `jobs` they are fewer",
            code="processes_died",
        )
    return outcomes


def _finished(
    jobs: Iterable[ClipJob], pool: ClipPool
) -> Iterator[tuple[ClipJob, Future[list[Outcome]]]]:
    """Give out clips as they are done; those that are not done at an error are cancelled."""
    finished: SimpleQueue[Future[list[Outcome]]] = SimpleQueue()
    pending: dict[Future[list[Outcome]], ClipJob] = {pool.submit(job): job for job in jobs}
    try:
        for future in pending:
            future.add_done_callback(finished.put)
        for _ in range(len(pending)):
            yield (pending[done := _next(finished, pool)], done)
    finally:
        # others may go on using the pool
        for future in pending:
            future.cancel()


def _next(finished: "SimpleQueue[_T]", pool: ClipPool) -> _T:
    while True:
        try:
            return finished.get(timeout=POLL_SECONDS)
        except Empty:
            pool.mend()


def _collect(done: Any, job: ClipJob, store: FeatureStore) -> list[Outcome]:
    try:
        outcomes: list[Outcome] = done.result()
    except TimedOut:
        code, detail = "timed_out", f"took longer than {patience(job.clip):.0f} s and was stopped"
    except ProcessExpired as error:
        code, detail = "crashed", f"its process died ({_end(error.exitcode)})"
    else:
        return outcomes

    def failure(name: str) -> Failure:
        return clip_failure(job.clip, extractor=name, code=code, detail=detail)

    # What was stored before the process ended is not lost.
    return [
        Outcome(name, 0.0, None if key in store else failure(name))
        for name, key in job.missing.items()
    ]


def _end(status: int) -> str:
    """Say how a process ended; what kills one for want of memory is SIGKILL."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


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
