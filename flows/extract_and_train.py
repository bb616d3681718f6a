"""The main job: a folder of videos in, a trained and evaluated model out."""

import time
from pathlib import Path

from prefect import flow

from flows.artifacts import publish
from flows.tasks import (
    extract_shard,
    finish_extraction,
    ingest_videos,
    plan_features,
    predict_unlabelled,
    train_model,
)
from pipeline.chain import Project
from pipeline.config import RunConfig
from pipeline.workspace import Workspace

#: Clips a task: enough work to make Prefect's cost for a task, about 0.1 s, vanish.
SHARD_CLIPS = 32


@flow(name="extract-and-train", persist_result=False)
def extract_and_train(
    videos: str = "sample_videos",
    workspace: Path = Path("workspace"),
    config: RunConfig = RunConfig(),  # noqa: B008
) -> str:
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
    str
        The run's id.
    """
    project = Project(workspace=Workspace(root=workspace), config=config)
    # another run's ingest in between would change what this one trains on
    with project.locked("extract-and-train"):
        started = time.perf_counter()
        ingest_videos(project, videos)
        ingested = time.perf_counter()
        plan = plan_features(project)
        shards = [extract_shard(project, shard) for shard in plan.shards(SHARD_CLIPS)]
        extraction = finish_extraction(project, shards)
        timings = {"ingest": ingested - started, "extract": time.perf_counter() - ingested}
        report = train_model(project, extraction, timings)
        publish(project, report, predict_unlabelled(project, report.id))
    return report.id
