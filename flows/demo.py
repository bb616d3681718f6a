"""``make demo``: a private server, the user's own command, and its result as a table."""

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from cyclopts import run
from rich.console import Console

from flows.bare_names import DEPLOYMENTS
from flows.serve import serve_command
from flows.server import (
    free_port,
    prefect_environment,
    running_process,
    running_server,
    stop_on_terminate,
)
from pipeline.config import load_config
from pipeline.errors import PipelineError
from pipeline.manifest import read_manifest
from pipeline.records import Failure
from pipeline.run_folder import load_run
from pipeline.tables import failure_table, result_table
from pipeline.workspace import Workspace

COMMAND = ["deployment", "run", "extract-and-train", "--watch"]
#: The served deployment registers itself; until then Prefect does not know its name.
REGISTRATION_SECONDS = 180.0


def demo(
    *,
    videos: Path = Path("sample_videos"),
    workspace: Path = Path("workspace/demo"),
    config: Path = Path("configs/demo.yaml"),
) -> None:
    """Run the deployment on the sample videos, from server start to stop.

    Parameters
    ----------
    videos : Path
        Folder of videos, transcripts and labels.csv.
    workspace : Path
        Where everything that is made lies.
    config : Path
        A YAML file of settings.

    Raises
    ------
    PipelineError
        If a setting is wrong, or the server does not start.
    """
    # a server takes a while to start: what can be refused is refused before
    load_config(config)
    place, port, started = Workspace(root=workspace), free_port(), time.monotonic()
    console = Console(soft_wrap=True, markup=False, emoji=False)
    console.print(f"Starting a private Prefect server on port {port} ...")
    # A database of its own: an earlier demo's deployment must not be taken for this one's.
    with (
        TemporaryDirectory(prefix="winnow-", ignore_cleanup_errors=True) as home,
        running_server(
            environment=(environment := prefect_environment(Path(home), port)),
            port=port,
            log=place.root / "server.log",
        ),
        running_process(serve_command(videos, workspace, config), environment) as served,
    ):
        wait_until_registered(environment, served)
        console.print(f"$ prefect {' '.join(COMMAND)}", style="bold")
        status = _prefect(COMMAND, environment).returncode
    if status != 0:
        console.print(f"The run did not complete (status {status}); see the messages above.")
        sys.exit(status)
    _show(place, console)
    console.print(f"{time.monotonic() - started:.0f} s in all; server and deployment are stopped.")


def _prefect(
    arguments: list[str], environment: dict[str, str], *, quiet: bool = False
) -> "subprocess.CompletedProcess[bytes]":
    """Run the command ``prefect`` that lies beside this Python."""
    command = [str(Path(sys.executable).parent / "prefect"), *arguments]
    return subprocess.run(command, env=environment, check=False, capture_output=quiet)


def wait_until_registered(environment: dict[str, str], served: "subprocess.Popen[bytes]") -> None:
    """Wait until Prefect knows the deployments.

    Parameters
    ----------
    environment : dict of str to str
        In which Prefect's commands know the server.
    served : subprocess.Popen
        The process that serves the deployment.

    Raises
    ------
    SystemExit
        If that process ends, or takes too long.
    """
    deadline = time.monotonic() + REGISTRATION_SECONDS
    # they register in this order
    inspect = ["deployment", "inspect", f"{DEPLOYMENTS[-1]}/{DEPLOYMENTS[-1]}"]
    while _prefect(inspect, environment, quiet=True).returncode != 0:
        if served.poll() is not None:
            sys.exit("the deployment could not be served; see the messages above")
        if time.monotonic() > deadline:
            sys.exit(f"the deployment was not registered in {REGISTRATION_SECONDS:.0f} s")
        time.sleep(1.0)


def _show(place: Workspace, console: Console) -> None:
    extraction = json.loads(place.extraction.read_text())
    for name, count in extraction["extracted"].items():
        before, failed = extraction["stored"][name], extraction["failed"][name]
        console.print(
            f"{name}: {count} extracted, {before} stored before, {failed} failed", highlight=False
        )
    failures = read_manifest(place.failures, Failure)
    if failures:
        console.print(failure_table(failures))
    report = load_run(place.runs)
    console.print(result_table(report))
    console.print(f"report: {place.runs / report.id / 'report.html'}", highlight=False)
    console.print(f"predictions for videos without labels: {place.predictions}", highlight=False)


if __name__ == "__main__":
    stop_on_terminate()
    try:
        run(demo)
    except PipelineError as error:
        sys.exit(f"{type(error).__name__}: {error}")
