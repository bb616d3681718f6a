"""Keep the store sound and the workspace from growing for ever."""

from pathlib import Path

from prefect import State, flow, get_run_logger
from prefect.states import Completed

from flows.artifacts import publish_maintenance
from flows.notifications import tell_failure
from flows.step_task import step_task
from flows.time_left import TimeLeft
from pipeline.chain import Project
from pipeline.config import RunConfig
from pipeline.maintenance import Maintenance, maintain
from pipeline.workspace import Workspace


@flow(
    name="maintain-store",
    persist_result=False,
    on_failure=[tell_failure],
    on_crashed=[tell_failure],
)
def maintain_store(
    workspace: Path = Path("workspace"),
    config: RunConfig = RunConfig(),  # noqa: B008
    dry_run: bool = False,
) -> State[int]:
    """Verify stored features, and delete what nothing in use needs.

    Parameters
    ----------
    workspace : Path
        Where everything that is made lies.
    config : RunConfig
        Settings; those of ``maintenance`` say what is kept.
    dry_run : bool
        Only say what would be deleted.

    Returns
    -------
    State
        Completed, with how many things were deleted.
    """
    project = Project(workspace=Workspace(root=workspace), config=config)
    time_left = TimeLeft(limits=config.hours)
    keep = maintain_workspace.with_options(timeout_seconds=time_left.seconds("maintain"))
    done = keep(project, dry_run)
    publish_maintenance(done)
    return Completed(message=done.summary(), data=len(done.removed))


@step_task("maintain")
def maintain_workspace(project: Project, dry_run: bool) -> Maintenance:
    """Verify stored features, and delete what nothing in use needs.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    dry_run : bool
        Only say what would be deleted.

    Returns
    -------
    Maintenance
        What was deleted, and what the workspace takes.
    """
    done = maintain(project, dry_run=dry_run)
    for damaged in done.damaged:
        get_run_logger().warning("%s: %s", damaged.name, damaged.reason)
    get_run_logger().info(done.summary())
    return done
