"""A Prefect server, or the flow that it started, is killed in the middle of a run."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
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
        run = self.order()
        wait(lambda: len(stored(self.work)) > 1, "nothing was stored", self)
        return run

    def order(self) -> str:
        """Ask for a run; gives its id."""
        deployment = self.ask(f"deployments/name/{NAME}/{NAME}")["id"]
        run: str = self.ask(f"deployments/{deployment}/create_flow_run", {})["id"]
        return run

    def end(self, run: str) -> str:
        """Wait until a run has ended; gives its state."""
        wait(lambda: self.state(run) in ENDED, f"the run is {self.state(run)}", self)
        return self.state(run)

    def state(self, run: str) -> str:
        """Ask for a run's state; empty while the server does not answer."""
        try:
            return str(self.ask(f"flow_runs/{run}")["state_type"])
        except OSError:
            return ""

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
    service = _service(root)
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
                    _kill(pid)
                there = truth.check(service.work)
                state = service.end(service.begin())
                notes.append(f"flow: the next run ended {state.lower()}, {there} stored before it")
                require(state == "COMPLETED", f"the next run ended {state}")
                truth.check_features(service.work)
    return 2, notes


def kill_served(
    truth: Truth, root: Path, times: int, chance: random.Random, *, chain: int
) -> tuple[int, int]:
    """Kill runs of a served deployment at random instants, several in a row, and let one finish.

    Parameters
    ----------
    truth : Truth
        What the store must hold in the end.
    root : Path
        A folder that is not there.
    times : int
        How many kills, >= 1.
    chance : random.Random
        Gives the instants.
    chain : int
        So many kills in a row before a run may end.

    Returns
    -------
    there : int
        Sequences that were stored when the last runs began.
    runs : int
        How many runs were let finish.
    """
    service = _service(root)
    there = runs = killed = 0
    with service.server():
        wait(lambda: is_healthy(service.address), "the server is not up", service)
        with service.deployments() as served:
            wait(service.known, "the deployment was not registered", service)
            idle = set(descendants(served.pid))

            def of_run() -> set[int]:
                return set(descendants(served.pid)) - idle

            began = time.monotonic()
            _complete(service, truth)
            seconds = time.monotonic() - began
            while killed < times:
                shutil.rmtree(service.work / "features")
                in_a_row = 0
                while in_a_row < chain and killed < times:
                    run, before = service.order(), len(stored(service.work))
                    wait(lambda run=run: of_run() or service.state(run) in ENDED, "no run", service)  # type: ignore[misc]
                    time.sleep(chance.uniform(0, seconds))
                    if not (processes := of_run()):
                        break
                    for pid in processes:
                        _kill(pid)
                    killed, in_a_row = killed + 1, in_a_row + 1
                    require(truth.check(service.work) >= before, "features were lost")
                    wait(lambda: not of_run(), "killed processes are left", service)
                there, runs = there + len(stored(service.work)), runs + 1
                _complete(service, truth)
    return there, runs


def _complete(service: Service, truth: Truth) -> None:
    state = service.end(service.order())
    require(state == "COMPLETED", f"the next run ended {state}")
    truth.check_features(service.work)


def _service(root: Path) -> Service:
    write_clips(root / "videos")
    (root / "config.yaml").write_text(load_config(None, SETTINGS).model_dump_json())
    return Service(root)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
