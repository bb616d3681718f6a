"""Retrain on what is new, and let the better model be the champion."""

from pathlib import Path

from prefect import State, flow, get_run_logger
from prefect.states import Completed

from flows.artifacts import publish_retraining
from flows.feature_stages import Features, prepare_features
from flows.notifications import tell_failure
from flows.opened_project import opened_project
from flows.step_task import step_task
from flows.tasks import device_tags, watched_epochs
from flows.time_left import TimeLeft
from pipeline.chain import Project
from pipeline.config import RunConfig
from pipeline.retraining import Retraining, retrain


@flow(
    name="scheduled-retrain",
    persist_result=False,
    on_failure=[tell_failure],
    on_crashed=[tell_failure],
)
def scheduled_retrain(
    videos: str = "sample_videos",
    workspace: Path = Path("workspace"),
    config: RunConfig = RunConfig(),  # noqa: B008
    force: bool = False,
) -> State[str]:
    """Extract what is missing, train a candidate if anything is new, compare it with the champion.

    Parameters
    ----------
    videos : str
        Folder of videos, transcripts and labels.csv; or a video, an address, or a list of
        addresses.
    workspace : Path
        Where everything that is made lies.
    config : RunConfig
        Settings.
    force : bool
        Promote the candidate whatever the comparison says.

    Returns
    -------
    State
        Completed, with what was decided: unchanged, too_few_new, first, promoted or refused.
    """
    time_left = TimeLeft(limits=config.hours)
    with opened_project("scheduled-retrain", workspace, config) as project:
        features = prepare_features(project, videos, time_left)
    # the workspace is free meanwhile: what others ingest is looked at before anything is decided
    decide = retrain_model.with_options(
        timeout_seconds=time_left.seconds("train"), tags=device_tags(config.training.device)
    )
    done = decide(project, features, force)
    publish_retraining(project, done)
    return Completed(message=str(done), data=done.outcome)


@step_task("retrain")
def retrain_model(project: Project, features: Features, force: bool) -> Retraining:
    """Train a candidate if there is something new to learn, and promote it if it is better.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    features : Features
        For the candidate's report.
    force : bool
        Promote it whatever the comparison says.

    Returns
    -------
    Retraining
        What was decided.
    """
    with watched_epochs(project.config.training) as on_epoch:
        done = retrain(
            project,
            force=force,
            extraction=features.extraction,
            timings=features.timings,
            on_epoch=on_epoch,
        )
    get_run_logger().info("retraining: %s", done)
    return done
