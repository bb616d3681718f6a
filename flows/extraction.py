"""Features that are missing, extracted by whatever runner is set: one task a shard of clips.

Nothing is cached by Prefect: the feature store knows what was extracted, and knows it by content
instead of by path.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.utilities.annotations import quote

from flows.healing import RETRIES, RETRY_DELAYS, heals
from flows.runners import task_runner
from pipeline.chain import Project
from pipeline.clip_pool import close_idle_pools
from pipeline.config import RunConfig
from pipeline.errors import PipelineError
from pipeline.extraction import ExtractionReport, run_extraction
from pipeline.extraction_plan import ExtractionPlan
from pipeline.records import Clip
from pipeline.shard_extraction import ShardSettings, extract_here
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
        ``timeout_seconds``. What is stored by then stays.
    """
    deadline = None if timeout_seconds is None else time.time() + timeout_seconds
    with project.locked("extract"):
        plan = plan_features(project)
        report = _extract_shards(project, plan, deadline, lambda clips: None)
        return finish_extraction(project, report)


@task(name="plan", cache_policy=NO_CACHE, persist_result=False)
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


@task(
    name="extract",
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=RETRY_DELAYS,
    retry_condition_fn=heals,
)
def extract_shard(
    shard: ExtractionPlan,
    settings: ShardSettings,
    deadline: float | None,
    on_clips: Callable[[int], None] | None,
) -> ExtractionReport:
    """Extract the missing features of some clips, wherever this task was sent.

    Parameters
    ----------
    shard : ExtractionPlan
        Which clips.
    settings : ShardSettings
        Extractors and store.
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
        logger.info("extracted %d of %d: %s", len(done), len(shard.jobs), Path(clip.path).name)
        if on_clips is not None:
            on_clips(1)
        if deadline is not None and time.time() > deadline:
            raise PipelineError(
                "extraction has taken as long as it may (hours.extract); what is stored stays, "
                "and the next run goes on",
                code="out_of_time",
            )

    report = extract_here(shard, settings, on_clip=on_clip)
    for failure in report.failures:
        logger.warning("%s: %s", failure.code, failure.detail)
    return report


@task(name="finish-extraction", cache_policy=NO_CACHE, persist_result=False)
def finish_extraction(project: Project, report: ExtractionReport) -> ExtractionReport:
    """Write down what the shards did.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    report : ExtractionReport
        The sum of all shards of one plan.

    Returns
    -------
    ExtractionReport
        The same.
    """
    project.finish_extraction(report)
    return report


def _extract_shards(
    project: Project,
    plan: ExtractionPlan,
    deadline: float | None,
    on_clips: Callable[[int], None],
) -> ExtractionReport:
    config = project.config
    settings = ShardSettings(
        extractors=config.extractors, store=project.store, processes=_processes(config)
    )
    shards = divide_plan(plan, seconds_per_second=_seconds_per_second(project))
    if not shards:
        return run_extraction(
            plan=plan, extractors=config.extractors, store=project.store, processes=1
        )
    local = config.runner == "local"
    reports: list[ExtractionReport] = []
    try:
        with task_runner(config) as runner:
            # the runner of the flow itself is chosen before its settings are known
            futures = [
                runner.submit(
                    extract_shard,
                    {
                        "shard": quote(shard),
                        "settings": quote(settings),
                        "deadline": deadline,
                        "on_clips": quote(on_clips) if local else None,
                    },
                )
                for shard in shards
            ]
            for shard, future in zip(shards, futures, strict=True):
                reports.append(future.result())
                if not local:
                    on_clips(len(shard.jobs))
    finally:
        close_idle_pools()
    return ExtractionReport.merged(reports)


def _processes(config: RunConfig) -> int:
    """Of one worker; Ray runs as many workers on a machine as it has cores."""
    return config.jobs or int(config.runner == "ray")


def _seconds_per_second(project: Project) -> float:
    """Work for a second of clip, as the latest extraction measured it."""
    try:
        facts: dict[str, Any] = json.loads(project.workspace.extraction.read_bytes())
        return sum(facts["seconds"].values()) / facts["clip_seconds"] or SECONDS_PER_SECOND
    except (FileNotFoundError, ValueError, KeyError, ZeroDivisionError):
        return SECONDS_PER_SECOND
