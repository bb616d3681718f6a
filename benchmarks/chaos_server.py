"""A Prefect server, or the flow that it started, is killed in the middle of a run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from benchmarks.fault_runs import SETTINGS, Truth, require, stored, write_clips
from flows.server import free_port, is_healthy, prefect_environment, running_process
from pipeline.config import load_config

NAME = "extract-new-videos"
PATIENCE_SECONDS = 400.0
ATTEMPTS = 20
ENDED = frozenset(("COMPLETED", "FAILED", "CRASHED", "CANCELLED"))


class Service:
    """A server that can be killed and started again on its database, and what it serves.

    Parameters
    ----------
    root : Path
        Folder for the videos, the workspace and the server.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, free_port()
        self.environment = prefect_environment(root / "prefect", self.port)
        self.address = f"http://127.0.0.1:{self.port}"

    @property
    def work(self) -> Path:
        """The workspace."""
        return self.root / "work"

    def server(self) -> Any:
        """Start the server."""
        command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(self.port)]
        return running_process(command, self.environment, output=self._log("server"))

    def deployments(self) -> Any:
        """Serve the five deployments."""
        command = [sys.executable, "-m", "flows.deployments", "--videos", str(self.root / "videos")]
        command += ["--workspace", str(self.work), "--config", str(self.root / "config.yaml")]
        return running_process(command, self.environment, output=self._log("served"))

    def ask(self, path: str, body: object = None) -> Any:
        """Ask the server's API."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.address}/api/{path}", data=data)
        request.add_header("Content-Type", "application/json")
        for left in reversed(range(ATTEMPTS)):
            try:
                with urlopen(request, timeout=30) as answer:
                    return json.loads(answer.read())
            except HTTPError as error:
                # SQLite is busy for a moment
                if error.code != HTTPStatus.SERVICE_UNAVAILABLE or not left:
                    raise
            time.sleep(1.0)
        return None

    def begin(self) -> str:
        """Start a run, and wait until it has stored something; gives its id."""
        deployment = self.ask(f"deployments/name/{NAME}/{NAME}")["id"]
        run: str = self.ask(f"deployments/{deployment}/create_flow_run", {})["id"]
        wait(lambda: len(stored(self.work)) > 1, "nothing was stored", self)
        return run

    def end(self, run: str) -> str:
        """Wait until a run has ended; gives its state."""

        def state() -> str:
            try:
                return str(self.ask(f"flow_runs/{run}")["state_type"])
            except OSError:
                return ""

        wait(lambda: state() in ENDED, f"the run is {state()}", self)
        return state()

    def known(self) -> bool:
        """Whether the deployment is registered."""
        try:
            self.ask(f"deployments/name/{NAME}/{NAME}")
        except OSError:
            return False
        return True

    def _log(self, name: str) -> object:
        return (self.root / f"{name}.log").open("ab")


def wait(holds: Callable[[], bool], otherwise: str, service: Service) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        require(time.monotonic() < deadline, f"{otherwise}; see {service.root}")
        time.sleep(0.2)


def descendants(parent: int) -> list[int]:
    """List the processes that a process has started, and they in turn."""
    told = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in told.stdout.splitlines()[1:]]
    found: list[int] = []
    left = [parent]
    while left:
        above = left.pop()
        children = [pid for pid, ppid in pairs if ppid == above]
        found += children
        left += children
    return found


def kill_server(truth: Truth, root: Path) -> tuple[int, list[str]]:
    """Kill the server, and then a flow, while clips are extracted.

    Parameters
    ----------
    truth : Truth
        What the store must hold in the end.
    root : Path
        A folder that is not there.

    Returns
    -------
    times : int
        How many faults.
    notes : list of str
        How the runs ended.
    """
    write_clips(root / "videos")
    service = Service(root)
    (root / "config.yaml").write_text(load_config(None, SETTINGS).model_dump_json())
    with service.server() as server:
        wait(lambda: is_healthy(service.address), "the server is not up", service)
        with service.deployments() as served:
            wait(service.known, "the deployment was not registered", service)
            run = service.begin()
            server.kill()
            server.wait()
            there = truth.check(service.work)
            with service.server():
                wait(lambda: is_healthy(service.address), "the server is not up again", service)
                state = service.end(run)
                notes = [f"server: its run ended {state.lower()}"]
                if state != "COMPLETED":
                    require(truth.check(service.work) >= there, "features were lost")
                    again = service.end(service.begin())
                    notes[0] += f", the next {again.lower()}"
                    require(again == "COMPLETED", f"the next run ended {again}")
                truth.check_features(service.work)

                shutil.rmtree(service.work / "features")
                service.begin()
                for pid in descendants(served.pid):
                    os.kill(pid, signal.SIGKILL)
                there = truth.check(service.work)
                state = service.end(service.begin())
                notes.append(f"flow: the next run ended {state.lower()}, {there} stored before it")
                require(state == "COMPLETED", f"the next run ended {state}")
                truth.check_features(service.work)
    return 2, notes
