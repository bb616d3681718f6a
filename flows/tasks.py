"""Prefect tasks: each calls one step of :mod:`pipeline.chain`.

Nothing is cached by Prefect: the feature store and the content-addressed runs already know what
was done, and know it by content instead of by path.
"""

from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from pipeline.chain import Project
from pipeline.extraction import ExtractionReport
from pipeline.extraction_plan import ExtractionPlan
from pipeline.ingest import IngestReport
from pipeline.report import RunReport
from pipeline.tables import extraction_lines
from pipeline.training_state import EpochRecord


@task(name="ingest", cache_policy=NO_CACHE, persist_result=False)
def ingest_videos(project: Project, videos: str) -> IngestReport:
    """Find clips, transcripts and labels.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    videos : str
        A folder, a video, an address, or a list of addresses.

    Returns
    -------
    IngestReport
        What was found.
    """
    logger = get_run_logger()
    report = project.ingest(videos)
    logger.info("%s: %d clips, %d utterances", videos, len(report.clips), len(report.segments))
    for failure in report.failures:
        logger.warning("%s: %s", failure.code, failure.detail)
    return report


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


@task(name="extract", cache_policy=NO_CACHE, persist_result=False)
def extract_shard(project: Project, shard: ExtractionPlan) -> ExtractionReport:
    """Extract the missing features of some clips.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    shard : ExtractionPlan
        Which clips.

    Returns
    -------
    ExtractionReport
        Counts.
    """
    logger = get_run_logger()
    done: list[str] = []

    def on_clip(name: str) -> None:
        done.append(name)
        logger.info("extracted %d of %d: %s", len(done), len(shard.jobs), name)

    report = project.extract(shard, on_clip=lambda clip: on_clip(Path(clip.path).name))
    for failure in report.failures:
        logger.warning("%s: %s", failure.code, failure.detail)
    return report


@task(name="finish-extraction", cache_policy=NO_CACHE, persist_result=False)
def finish_extraction(project: Project, shards: list[ExtractionReport]) -> ExtractionReport:
    """Write down what the shards did.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    shards : list of ExtractionReport
        All of one plan.

    Returns
    -------
    ExtractionReport
        Their sum.
    """
    report = ExtractionReport.merged(shards)
    project.finish_extraction(report)
    for line in extraction_lines(report):
        get_run_logger().info(line)
    return report


@task(name="train", cache_policy=NO_CACHE, persist_result=False, tags=["gpu"])
def train_model(
    project: Project, extraction: ExtractionReport, timings: dict[str, float]
) -> RunReport:
    """Train and evaluate.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    extraction : ExtractionReport
        For the report.
    timings : dict of str to float
        Seconds by earlier stage, for the report.

    Returns
    -------
    RunReport
        The finished run.
    """
    logger = get_run_logger()

    def on_epoch(seed: int, record: EpochRecord) -> None:
        if record.epoch % 10 == 0:
            logger.info(
                "seed %d, epoch %d: validation MAE %.3f", seed, record.epoch, record.valid_mae
            )

    return project.train(extraction=extraction, timings=timings, on_epoch=on_epoch)


@task(name="predict", cache_policy=NO_CACHE, persist_result=False)
def predict_unlabelled(project: Project, run: str) -> Path:
    """Predict the utterances without a label.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    run : str
        The run's id.

    Returns
    -------
    Path
        A CSV file.
    """
    return project.predict(run=run)
