"""The five deployments, and one process that serves them: ``python -m flows.deployments``."""

import sys
from collections.abc import Sequence
from inspect import getdoc
from pathlib import Path
from typing import Any, Final

from cyclopts import run
from prefect import serve as prefect_serve
from prefect.client.orchestration import get_client
from prefect.deployments.runner import RunnerDeployment
from prefect.events import DeploymentTriggerTypes, TriggerTypes
from prefect.flows import Flow
from prefect.types.entrypoint import EntrypointType

from flows.bare_names import DEPLOYMENTS
from flows.extract_and_train import extract_and_train
from flows.extract_new_videos import extract_new_videos
from flows.maintain_store import maintain_store
from flows.parameter_forms import describe_parameters, summary
from flows.predict_new_videos import predict_new_videos
from flows.safeguards import TAG, install_safeguards
from flows.scheduled_retrain import scheduled_retrain
from flows.schedules import read_schedules
from flows.watcher import videos_trigger
from pipeline.config import RunConfig, load_config
from pipeline.errors import PipelineError

#: Each gives its name to its deployment.
FLOWS: Final[tuple[Flow[..., Any], ...]] = (
    extract_and_train,
    extract_new_videos,
    scheduled_retrain,
    predict_new_videos,
    maintain_store,
)
#: Runs at a time of one served process; most of them wait for one another's workspace.
DEFAULT_LIMIT: Final = 3
#: The automation that starts extract-new-videos.
ARRIVED: Final = "winnow: videos have arrived"


def make_deployments(
    *,
    videos: str,
    workspace: Path,
    config: RunConfig,
    schedules: Sequence[str] = (),
    pool: str | None = None,
    job_variables: dict[str, Any] | None = None,
) -> list[RunnerDeployment]:
    """Describe the five deployments.

    Parameters
    ----------
    videos : str
        What a run takes that names no other: a folder, or an address.
    workspace : Path
        Where everything that is made lies.
    config : RunConfig
        Settings; every one of them can be changed for a single run.
    schedules : sequence of str
        As :func:`~flows.schedules.read_schedules`.
    pool : str, optional
        Work pool whose workers run them; without it they are to be served.
    job_variables : dict, optional
        For that pool.

    Returns
    -------
    list of RunnerDeployment
        Not yet registered.

    Raises
    ------
    ConfigError
        If a schedule is not valid.
    """
    crons = read_schedules(schedules)
    defaults = {
        "videos": videos if "://" in videos else str(Path(videos).resolve()),
        "workspace": str(workspace.resolve()),
        "config": config.model_dump(mode="json"),
    }
    triggers: list[DeploymentTriggerTypes | TriggerTypes] = []
    if "://" not in videos:
        # winnow watch tells of them
        arrived = videos_trigger(videos).model_copy(update={"name": ARRIVED})
        triggers.append(arrived)
    made = [
        RunnerDeployment.from_flow(
            flow,
            name=flow.name,
            parameters={
                name: value
                for name, value in defaults.items()
                if name in flow.parameters.properties
            },
            cron=crons.get(flow.name),
            triggers=triggers if flow is extract_new_videos else [],
            paused=False,
            tags=[TAG],
            work_pool_name=pool,
            job_variables=job_variables if pool else None,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        for flow in FLOWS
    ]
    for flow, deployment in zip(FLOWS, made, strict=True):
        describe_parameters(deployment._parameter_openapi_schema, flow.fn.__doc__ or "")
        deployment.description = summary(getdoc(flow.fn) or "")
    return made


def forget_earlier(*, pool: str | None = None) -> None:
    """Take away what an earlier registration would leave behind in this one.

    Those are its schedules, and, where the deployments are to be served, their work pool.

    Parameters
    ----------
    pool : str, optional
        Work pool that the deployments are registered for; without it they are to be served.
    """
    with get_client(sync_client=True) as client:
        for known in client.read_deployments():
            if known.name not in DEPLOYMENTS or TAG not in known.tags:
                continue
            if known.work_pool_name and pool is None:
                client.delete_deployment(known.id)
                continue
            for schedule in known.schedules:
                client.delete_deployment_schedule(known.id, schedule.id)


def serve(
    *,
    videos: str = "sample_videos",
    workspace: Path = Path("workspace"),
    config: Path | None = None,
    schedule: tuple[str, ...] = (),
    limit: int = DEFAULT_LIMIT,
) -> None:
    """Serve the five deployments until stopped.

    Parameters
    ----------
    videos : str
        The folder that a run without ``-p videos=...`` takes.
    workspace : Path
        Where everything that is made lies.
    config : Path
        A YAML file of settings.
    schedule : tuple of str
        When to run by itself: ``0 3 * * *``, or ``extract-new-videos=*/15 * * * *``.
    limit : int
        Runs at a time.
    """
    made = make_deployments(
        videos=videos, workspace=workspace, config=load_config(config), schedules=schedule
    )
    install_safeguards()
    forget_earlier()
    prefect_serve(*made, limit=limit, print_starting_message=False)


if __name__ == "__main__":
    try:
        run(serve)
    except PipelineError as error:
        sys.exit(f"{type(error).__name__}: {error}")
