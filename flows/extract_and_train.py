"""The main job: a folder of videos in, a trained and evaluated model out."""

from pathlib import Path

from prefect import State, flow
from prefect.states import Completed

from flows.artifacts import publish_run
from flows.feature_stages import prepare_features
from flows.notifications import tell_failure
from flows.opened_project import opened_project
from flows.tasks import device_tags, predict_unlabelled, train_model
from flows.time_left import TimeLeft
from pipeline.config import RunConfig


@flow(
    name="extract-and-train",
    persist_result=False,
    on_failure=[tell_failure],
    on_crashed=[tell_failure],
)
def extract_and_train(
    videos: str = "sample_videos",
    workspace: Path = Path("workspace"),
    config: RunConfig = RunConfig(),  # noqa: B008
) -> State[str]:
    """Extract what is missing, train, evaluate, and predict the videos without labels.

    Parameters
    ----------
    videos : str
        Folder of videos, transcripts and labels.csv; or a video, an address, or a list of
        addresses.
    workspace : Path
        Where everything that is made lies.
    config : RunConfig
        Settings.

    Returns
    -------
    State
        Completed, with the run's id.
    """
    time_left = TimeLeft(limits=config.hours)
    # another run's ingest in between would change what this one trains on
    with opened_project("extract-and-train", workspace, config) as project:
        features = prepare_features(project, videos, time_left)
        train = train_model.with_options(
            timeout_seconds=time_left.seconds("train"), tags=device_tags(config.training.device)
        )
        report = train(project, features.extraction, features.timings)
        predict = predict_unlabelled.with_options(timeout_seconds=time_left.seconds("predict"))
        publish_run(project, report, predict(project, report.id))
    return Completed(message=f"{report.id}; {features}", data=report.id)
