"""Prefect tasks: each calls one step of :mod:`pipeline`.

Nothing is cached by Prefect: the feature store and the content-addressed runs already know what
was done, and know it by content instead of by path.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from prefect import get_run_logger

from flows.progress import stage_progress
from flows.step_task import step_task
from pipeline.chain import Project
from pipeline.extraction import ExtractionReport
from pipeline.ingest import IngestReport
from pipeline.report import RunReport
from pipeline.tracking import track_run
from pipeline.training_config import Device, TrainingConfig, choose_device
from pipeline.training_state import EpochRecord

#: Of a task that takes turns on a GPU; the server's limit of that name says how many at once.
GPU_TAG: Final = "gpu"


@step_task("wait-for-workspace")
def hold_workspace(project: Project, step: str, held: ExitStack) -> None:
    """Wait until no other run is at work in the workspace, and keep others out.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    step : str
        What is going to be done, for the messages of others.
    held : ExitStack
        Lets go of the workspace when it is closed.
    """
    held.enter_context(project.locked(step))


@step_task("ingest")
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


@step_task("train")
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
    with watched_epochs(project.config.training) as on_epoch:
        report = project.train(extraction=extraction, timings=timings, on_epoch=on_epoch)
    track_run(project, report)
    return report


@step_task("predict")
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


@contextmanager
def watched_epochs(training: TrainingConfig) -> Iterator[Callable[[int, EpochRecord], None]]:
    """Show a training's progress while it runs; to be used in a task.

    Parameters
    ----------
    training : TrainingConfig
        How long it may take.

    Yields
    ------
    callable
        To be told of every seed's every epoch.
    """
    logger = get_run_logger()
    with stage_progress("train", len(training.seeds) * training.max_epochs) as progress:

        def on_epoch(seed: int, record: EpochRecord) -> None:
            progress.advance()
            if record.epoch % 10 == 0:
                logger.info(
                    "seed %d, epoch %d: validation MAE %.3f", seed, record.epoch, record.valid_mae
                )

        yield on_epoch


def device_tags(device: Device) -> list[str]:
    """Give the tags of a task that computes on a device.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        As set.

    Returns
    -------
    list of str
        :data:`GPU_TAG` if it is, or ``auto`` finds, a GPU.
    """
    return [GPU_TAG] if choose_device(device) == "cuda" else []
