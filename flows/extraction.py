"""Features that are missing, extracted by whatever runner is set: one task a shard of clips.

Nothing is cached by Prefect: the feature store knows what was extracted, and knows it by content
instead of by path.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import get_run_logger

from flows.artifacts import publish_extraction
from flows.progress import stage_progress
from flows.runners import default_processes, task_runner
from flows.step_task import step_task
from pipeline.chain import Project
from pipeline.clip_pool import close_idle_pools
from pipeline.config import Runner
from pipeline.errors import PipelineError
from pipeline.extraction import ExtractionReport, refuse_all_failed, run_extraction
from pipeline.extraction_plan import ClipJob, ExtractionPlan
from pipeline.records import Clip
from pipeline.shard_extraction import Shard, extract_here
from pipeline.sharding import SECONDS_PER_SECOND, divide_plan


def extract_missing(
    project: Project,
    *,
    timeout_seconds: float | None = None,
) -> ExtractionReport:
    """Extract every feature of the ingested clips that is not stored; to be called in a flow.

    Misses are planned first, so that what is stored costs no task.

    Parameters
    ----------
    project : Project
        Workspace and settings; its lock is held meanwhile.
    timeout_seconds : float, optional
        How long the whole extraction may take.

    Returns
    -------
    ExtractionReport
        Also written down in the workspace.

    Raises
    ------
    PipelineError
        As :func:`pipeline.extraction.run_extraction` and
        :func:`pipeline.shard_extraction.extract_here`; with code ``out_of_time`` after
        ``timeout_seconds``, with ``all_failed`` as
        :func:`pipeline.extraction.refuse_all_failed`. What is stored by then stays.
    """
    deadline = None if timeout_seconds is None else time.time() + timeout_seconds
    with project.locked("extract"):
        plan, before = plan_features(project), project.quarantine.clips
        with stage_progress("extract", len(plan.jobs)) as progress:
            report = _extract_shards(project, plan, deadline, progress.advance)
        finish_extraction(project, report)
    publish_extraction(report)
    refuse_all_failed(plan, report, before=before)
    return report


@step_task("plan")
def plan_features(project: Project) -> ExtractionPlan:
    """Ask which features are missing, and whether there is room for them.

    Parameters
    ----------
    project : Project
        Workspace and settings.

    Returns
    -------
    ExtractionPlan
        What is missing.
    """
    plan = project.plan()
    project.require_space(plan)
    get_run_logger().info("%d of %d clips need extraction", len(plan.jobs), len(plan.keys))
    return plan


@step_task("extract")
def extract_shard(
    shard: Shard,
    runner: Runner,
    jobs: int,
    deadline: float | None,
    on_clips: Callable[[int], None] | None,
) -> ExtractionReport:
    """Extract the missing features of some clips, wherever this task was sent.

    Parameters
    ----------
    shard : Shard
        What to do.
    runner : {"local", "dask", "ray"}
        Who has sent it.
    jobs : int
        Processes of a worker, 0 for as many as suit the runner.
    deadline : float or None
        When to stop, seconds since 1970.
    on_clips : callable or None
        Told of clips that are done.

    Returns
    -------
    ExtractionReport
        Counts.
    """
    logger = get_run_logger()
    done: list[str] = []

    def on_clip(clip: Clip) -> None:
        done.append(clip.id)
        logger.info("extracted %d of %d: %s", len(done), len(shard.plan.jobs), Path(clip.path).name)
        if on_clips is not None:
            on_clips(1)
        if deadline is not None and time.time() > deadline:
            raise PipelineError(
                "extraction has taken as long as it may (hours.extract); what is stored stays, "
                "and the next run goes on",
                code="out_of_time",
            )

    report = extract_here(shard, processes=jobs or default_processes(runner), on_clip=on_clip)
    for failure in report.failures:
        logger.warning("%s: %s", failure.code, failure.detail)
    return report


@step_task("finish-extraction")
def finish_extraction(project: Project, report: ExtractionReport) -> None:
    """Write down what the shards did.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    report : ExtractionReport
        The sum of all shards of one plan.
    """
    project.finish_extraction(report)


def _extract_shards(
    project: Project,
    plan: ExtractionPlan,
    deadline: float | None,
    on_clips: Callable[[int], None],
) -> ExtractionReport:
    config, store = project.config, project.store
    parts = divide_plan(plan, seconds_per_second=_seconds_per_second(project))
    if not parts:
        return run_extraction(plan=plan, extractors=config.extractors, store=store, processes=1)
    local = config.runner == "local"
    common = {"runner": config.runner, "jobs": config.jobs, "deadline": deadline}

    def values(part: ExtractionPlan) -> dict[str, Any]:
        # other machines need not see the workspace; here words are read clip by clip
        jobs = part.jobs if local else tuple(map(_with_words, part.jobs))
        shard = Shard(replace(part, jobs=jobs), extractors=config.extractors, store=store)
        return common | {"shard": shard, "on_clips": on_clips if local else None}

    reports: list[ExtractionReport] = []
    try:
        # not the flow's own, which is chosen before the flow knows its settings
        with task_runner(config) as runner:
            futures = [runner.submit(extract_shard, values(part)) for part in parts]
            for part, future in zip(parts, futures, strict=True):
                reports.append(future.result())
                if not local:
                    on_clips(len(part.jobs))
    finally:
        close_idle_pools()
    return ExtractionReport.merged(reports)


def _with_words(job: ClipJob) -> ClipJob:
    return replace(job, words=job.read_words())


def _seconds_per_second(project: Project) -> float:
    """Work for a second of clip, as the latest extraction measured it."""
    try:
        facts: dict[str, Any] = json.loads(project.workspace.extraction.read_bytes())
        return sum(facts["seconds"].values()) / facts["clip_seconds"] or SECONDS_PER_SECOND
    except (FileNotFoundError, ValueError, KeyError, ZeroDivisionError):
        return SECONDS_PER_SECOND
