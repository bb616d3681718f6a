"""Tell Prefect of new videos in a folder: ``winnow watch FOLDER``."""

import sys
import time
from fnmatch import fnmatchcase
from pathlib import Path

from cyclopts import run
from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.events import DeploymentEventTrigger, emit_event
from prefect.events.schemas.automations import CompositeTrigger, EventTrigger
from prefect.events.schemas.events import Resource, ResourceSpecification
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console

from flows.server import is_healthy, stop_on_terminate
from pipeline.errors import ConfigError, PipelineError
from pipeline.watching import FolderChange, FolderWatch, known_files, require_folder
from pipeline.workspace import Workspace

EVENT = "winnow.videos.arrived"


def videos_trigger(videos: str) -> DeploymentEventTrigger:
    """Describe what starts a deployment when something has changed in a folder.

    Parameters
    ----------
    videos : str
        The folder, as :func:`watch` is given it.

    Returns
    -------
    DeploymentEventTrigger
        For ``triggers`` of a deployment.
    """
    return DeploymentEventTrigger(
        name="new videos", expect={EVENT}, match={"prefect.resource.id": _resource(videos)}
    )


def watch(
    folder: Path,
    *,
    workspace: Path = Path("workspace"),
    api: str | None = None,
    every: float = 10.0,
    stable_seconds: float = 10.0,
) -> None:
    """Watch a folder until stopped, and emit an event when videos have arrived.

    The deployment extract-new-videos of that folder is started by it. While the server does not
    answer, or no automation waits for the folder, what has changed is kept and told later; after a
    restart, what was not ingested is.

    Parameters
    ----------
    folder : Path
        The folder that the deployments were made for.
    workspace : Path
        Says what is not new.
    api : str
        Address of the server's API; without it the one that Prefect is set to.
    every : float
        Seconds between two looks.
    stable_seconds : float
        How long a file must have rested; until then it may be half copied.
    """
    console = Console(soft_wrap=True, markup=False, emoji=False)
    place = require_folder(folder)
    with temporary_settings({PREFECT_API_URL: api} if api else {}):
        address = PREFECT_API_URL.value()
        if not address:
            raise ConfigError("no server is known; name one: winnow watch --api http://host/api")
        known = known_files(Workspace(root=workspace), place)
        looks = FolderWatch(place, known=known, stable_seconds=stable_seconds)
        console.print(f"watching {place} for {address}; stop with Ctrl-C")
        before = ""
        while True:
            obstacle = _obstacle(address, place)
            if obstacle not in ("", before):
                console.print(f"{time.strftime('%H:%M:%S')} waiting: {obstacle}")
            before = obstacle
            # looked at only when it can be told: what was told is not told again
            if not obstacle and (change := looks.look()):
                tell(place, change)
                console.print(f"{time.strftime('%H:%M:%S')} {change}")
            time.sleep(every)


def tell(folder: Path, change: FolderChange) -> None:
    """Emit the event.

    Parameters
    ----------
    folder : Path
        Which has changed.
    change : FolderChange
        What.
    """
    emit_event(
        EVENT,
        resource={
            "prefect.resource.id": _resource(str(folder)),
            "prefect.resource.name": str(folder),
        },
        payload={
            "arrived": len(change.arrived),
            "removed": len(change.removed),
            "beside": len(change.beside),
            # an event has a largest size
            "first": [Path(path).name for path in change.arrived[:20]],
        },
    )


def watch_command(videos: str, workspace: Path) -> list[str]:
    """Write down the command that watches a folder.

    Parameters
    ----------
    videos : str
        The folder.
    workspace : Path
        Says what is not new.

    Returns
    -------
    list of str
        Program and arguments.
    """
    return [sys.executable, "-m", "flows.watcher", videos, "--workspace", str(workspace)]


def _resource(videos: str) -> str:
    return f"winnow.folder.{Path(videos).resolve()}"


def _obstacle(address: str, folder: Path) -> str:
    """Say why an event would start nothing now; nothing is said if it would."""
    if not is_healthy(address.removesuffix("/api")):
        return f"{address} does not answer"
    resource = Resource({"prefect.resource.id": _resource(str(folder))})
    try:
        with get_client(sync_client=True) as client:
            there = client.read_automations()
    except HTTPError as error:
        return f"{address} does not list its automations ({error})"
    if any(one.enabled and _concerns(one.trigger, resource) for one in there):
        return ""
    return (
        f"no automation of {address} waits for {folder}; make serve and winnow deploy make one, "
        "for the folder that they are given"
    )


def _concerns(trigger: object, resource: Resource) -> bool:
    if isinstance(trigger, CompositeTrigger):
        return any(_concerns(part, resource) for part in trigger.triggers)
    return (
        isinstance(trigger, EventTrigger)
        and any(fnmatchcase(EVENT, expected) for expected in trigger.expect or {"*"})
        and ResourceSpecification.model_validate(trigger.match).matches(resource)
    )


if __name__ == "__main__":
    stop_on_terminate()
    try:
        run(watch)
    except PipelineError as error:
        sys.exit(f"{type(error).__name__}: {error}")
