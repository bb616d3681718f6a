"""Keep the features of a folder up to date: only what is new costs anything."""

from pathlib import Path

from prefect import State, flow
from prefect.states import Completed

from flows.feature_stages import prepare_features
from flows.notifications import tell_failure
from flows.opened_project import opened_project
from flows.time_left import TimeLeft
from pipeline.config import RunConfig


@flow(
    name="extract-new-videos",
    persist_result=False,
    on_failure=[tell_failure],
    on_crashed=[tell_failure],
)
def extract_new_videos(
    videos: str = "sample_videos",
    workspace: Path = Path("workspace"),
    config: RunConfig = RunConfig(),  # noqa: B008
) -> State[dict[str, int]]:
    """Find new videos and extract what is missing; nothing is trained.

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
        Completed, with the number of clips that each extractor worked on.
    """
    time_left = TimeLeft(limits=config.hours)
    with opened_project("extract-new-videos", workspace, config) as project:
        features = prepare_features(project, videos, time_left)
    return Completed(message=str(features), data=features.extraction.extracted)
