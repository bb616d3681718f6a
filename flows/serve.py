"""Server and deployments in one command: ``python -m flows.serve``, or ``make serve``."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, run
from rich.console import Console

from flows.bare_names import DEPLOYMENTS
from flows.report_server import ADDRESS, serving_reports
from flows.schedules import read_schedules
from flows.server import (
    is_healthy,
    prefect_environment,
    running_process,
    running_server,
    stop_on_terminate,
)
from flows.watcher import watch_command
from pipeline.config import load_config
from pipeline.errors import PipelineError
from pipeline.watching import require_folder
from pipeline.workspace import Workspace

#: A server may be too busy to answer; so many times in a row, it is gone.
POLL_SECONDS, PATIENCE = 20.0, 6


def serve(
    *,
    videos: str = "sample_videos",
    workspace: Path = Path("workspace"),
    config: Path | None = None,
    schedule: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    watch: bool = False,
    limit: int = 3,
    port: int = 4200,
) -> None:
    """Run a Prefect server and serve the five deployments until stopped.

    Parameters
    ----------
    videos : str
        The folder, or the address, that a run without ``-p videos=...`` takes.
    workspace : Path
        Where everything that is made lies, the server's database included.
    config : Path
        A YAML file of settings.
    schedule : tuple of str
        When to run by itself: ``0 3 * * *``, which is for scheduled-retrain, or
        ``extract-new-videos=*/15 * * * *``.
    watch : bool
        Start extract-new-videos as soon as videos have arrived in the folder.
    limit : int
        Runs at a time.
    port : int
        Where the server listens, on loopback only; reports are on the next one.

    Raises
    ------
    PipelineError
        If a setting is wrong, there is no folder to watch, or a process ends by itself.
    """
    # a server takes a while to start: what can be refused is refused before
    load_config(config)
    read_schedules(schedule)
    if watch:
        require_folder(Path(videos))
    place = Workspace(root=workspace)
    environment = prefect_environment(place.prefect, port)
    log = place.prefect / "server.log"
    command = serve_command(videos, workspace, config, schedule, limit)
    with ExitStack() as running:
        environment |= running.enter_context(serving_reports(place.root, port=port + 1))
        server = running.enter_context(running_server(environment=environment, port=port, log=log))
        started = {"serves the deployments": running_process(command, environment)}
        if watch:
            watcher = watch_command(videos, workspace)
            started["watches the folder"] = running_process(watcher, environment)
        processes = {what: running.enter_context(each) for what, each in started.items()}
        _say(server, environment[ADDRESS])
        try:
            _wait(processes, server, log)
        except KeyboardInterrupt:
            return


def serve_command(
    videos: Path | str,
    workspace: Path,
    config: Path | None = None,
    schedules: Sequence[str] = (),
    limit: int | None = None,
) -> list[str]:
    """Write down the command that serves the deployments.

    Parameters
    ----------
    videos : Path or str
        Default of the deployments' parameter.
    workspace : Path
        Likewise.
    config : Path, optional
        A YAML file of settings.
    schedules : sequence of str
        As :func:`flows.schedules.read_schedules`.
    limit : int, optional
        Runs at a time.

    Returns
    -------
    list of str
        Program and arguments.
    """
    command = [sys.executable, "-m", "flows.deployments"]
    command += ["--videos", str(videos), "--workspace", str(workspace)]
    if config is not None:
        command += ["--config", str(config)]
    for schedule in schedules:
        command += ["--schedule", schedule]
    if limit is not None:
        command += ["--limit", str(limit)]
    return command


def _say(server: str, reports: str) -> None:
    Console(soft_wrap=True).print(
        f"Prefect's pages: {server}\n"
        f"Reports, for links in them: {reports}\n"
        f"Deployments: {', '.join(DEPLOYMENTS)}\n"
        "In another terminal: prefect deployment run extract-and-train --watch\n"
        "Stop with Ctrl-C.",
        highlight=False,
        markup=False,
    )


def _wait(processes: Mapping[str, "subprocess.Popen[bytes]"], address: str, log: Path) -> None:
    """Wait until a process ends, or the server does not answer any more."""
    silent, asked = 0, time.monotonic()
    while silent < PATIENCE:
        for what, process in processes.items():
            if process.poll() is not None:
                raise PipelineError(
                    f"the process that {what} ended with status {process.returncode}; see above"
                )
        time.sleep(1.0)
        if time.monotonic() - asked > POLL_SECONDS:
            silent, asked = 0 if is_healthy(address) else silent + 1, time.monotonic()
    raise PipelineError(f"Prefect's server at {address} does not answer any more; see {log}")


if __name__ == "__main__":
    stop_on_terminate()
    try:
        run(serve)
    except PipelineError as error:
        sys.exit(f"{type(error).__name__}: {error}")
