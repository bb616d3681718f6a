"""Server and deployment in one command: ``python -m flows.serve``, or ``make serve``."""

import sys
from pathlib import Path

from cyclopts import run
from rich.console import Console

from flows.server import (
    prefect_environment,
    running_process,
    running_server,
    stop_on_terminate,
)
from pipeline.workspace import Workspace


def serve(
    *,
    videos: Path = Path("sample_videos"),
    workspace: Path = Path("workspace"),
    config: Path | None = None,
    cron: str | None = None,
    port: int = 4200,
) -> None:
    """Run a Prefect server and serve ``extract-and-train`` until stopped.

    Parameters
    ----------
    videos : Path
        The folder that a run without ``-p videos=...`` takes.
    workspace : Path
        Where everything that is made lies, the server's database included.
    config : Path
        A YAML file of settings.
    cron : str
        When to run by itself, such as "0 3 * * *".
    port : int
        Where the server listens, on loopback only.
    """
    place = Workspace(root=workspace)
    environment = prefect_environment(place.prefect, port)
    log = place.prefect / "server.log"
    with (
        running_server(environment=environment, port=port, log=log) as address,
        running_process(serve_command(videos, workspace, config, cron), environment) as served,
    ):
        Console().print(
            f"Prefect's pages: {address}\n"
            "In another terminal: prefect deployment run extract-and-train --watch\n"
            "Stop with Ctrl-C.",
            highlight=False,
        )
        try:
            served.wait()
        except KeyboardInterrupt:
            return


def serve_command(
    videos: Path, workspace: Path, config: Path | None, cron: str | None
) -> list[str]:
    """Write down the command that serves the deployment.

    Parameters
    ----------
    videos, workspace : Path
        Defaults of the deployment's parameters.
    config : Path or None
        A YAML file of settings.
    cron : str or None
        A schedule.

    Returns
    -------
    list of str
        Program and arguments.
    """
    command = [sys.executable, "-m", "flows.deployments"]
    command += ["--videos", str(videos), "--workspace", str(workspace)]
    if config is not None:
        command += ["--config", str(config)]
    if cron is not None:
        command += ["--cron", cron]
    return command


if __name__ == "__main__":
    stop_on_terminate()
    run(serve)
