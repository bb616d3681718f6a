"""A workspace that a flow has for itself while it needs it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prefect import get_run_logger

from flows.artifacts import publish_failures
from flows.tasks import hold_workspace
from pipeline.chain import Project
from pipeline.config import RunConfig
from pipeline.workspace import Workspace


@contextmanager
def opened_project(step: str, workspace: Path, config: RunConfig) -> Iterator[Project]:
    """Open a workspace, keep other runs out, and show its failures at the end, whatever it is.

    Parameters
    ----------
    step : str
        What is going to be done, for the messages of others.
    workspace : Path
        Where everything that is made lies.
    config : RunConfig
        Settings.

    Yields
    ------
    Project
        Workspace and settings.
    """
    project = Project(workspace=Workspace(root=workspace), config=config)
    with ExitStack() as held:
        hold_workspace(project, step, held)
        get_run_logger().info("at work in %s", workspace.resolve())
        try:
            yield project
        finally:
            publish_failures(project.failures())
