"""Predict videos by the champion."""

from pathlib import Path

from prefect import State, flow, get_run_logger
from prefect.states import Completed

from flows.artifacts import publish_predictions
from flows.feature_stages import Features, prepare_features
from flows.notifications import tell_failure
from flows.opened_project import opened_project
from flows.step_task import step_task
from flows.tasks import device_tags
from flows.time_left import TimeLeft
from pipeline.chain import Project
from pipeline.champion import serving_run
from pipeline.config import RunConfig
from pipeline.manifest import read_manifest
from pipeline.prediction_files import write_predictions
from pipeline.prediction_records import PredictionReport
from pipeline.records import Transcript
from pipeline.run_folder import load_run
from pipeline.video_prediction import predict_ingested, prediction_project


@flow(
    name="predict-new-videos",
    persist_result=False,
    on_failure=[tell_failure],
    on_crashed=[tell_failure],
)
def predict_new_videos(
    videos: str = "sample_videos",
    workspace: Path = Path("workspace"),
    config: RunConfig = RunConfig(),  # noqa: B008
    run: str | None = None,
    output: Path | None = None,
) -> State[str]:
    """Extract what is missing of some videos, and predict all their utterances.

    Parameters
    ----------
    videos : str
        A folder, a video, an address, or a list of addresses.
    workspace : Path
        The one that has the run.
    config : RunConfig
        Settings, with the extractors of the run's training.
    run : str or None
        A run's id, ``champion`` or ``latest``; without it the champion, or the latest where there
        is none.
    output : Path or None
        Folder for a JSON file, a table and a track for each video; without it
        ``predict/predictions`` in the workspace.

    Returns
    -------
    State
        Completed, with the id of the run that predicted.
    """
    time_left = TimeLeft(limits=config.hours)
    with opened_project("predict-new-videos", workspace, config) as project:
        chosen = run or serving_run(project.workspace)
        # first, since hours of extraction would be lost
        known = load_run(project.workspace.runs, chosen).id
        get_run_logger().info("%s (%s) predicts", known, chosen)
        inner = prediction_project(project)
        features = prepare_features(inner, videos, time_left)
        predict = predict_utterances.with_options(
            timeout_seconds=time_left.seconds("predict"), tags=device_tags(config.training.device)
        )
        report = predict(inner, project.workspace.runs, known, features)
        folder = output or inner.workspace.root / "predictions"
        transcripts = read_manifest(inner.workspace.transcripts, Transcript)
        files = write_predictions(report, folder, inputs=[Path(one.path) for one in transcripts])
        publish_predictions(project, report, files)
    said = sum(len(video.utterances) for video in report.videos)
    return Completed(
        message=f"{known} ({chosen}): {said} utterances of {len(report.videos)} videos; {features}",
        data=known,
    )


@step_task("predict")
def predict_utterances(
    project: Project, runs_folder: Path, run: str, features: Features
) -> PredictionReport:
    """Predict all utterances of a workspace.

    Parameters
    ----------
    project : Project
        With what shall be predicted.
    runs_folder : Path
        Where the run lies.
    run : str
        Its id.
    features : Features
        What was extracted for it.

    Returns
    -------
    PredictionReport
        Every clip with its utterances.
    """
    del features
    return predict_ingested(project, runs_folder=runs_folder, run=run)
