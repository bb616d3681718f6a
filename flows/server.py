"""A Prefect server of the workspace's own, started and stopped."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from pipeline.errors import PipelineError

#: A loaded machine of two cores needed up to 28 s.
PATIENCE_SECONDS = 180.0


def free_port() -> int:
    """Ask the system for a port of loopback that nothing uses.

    Returns
    -------
    int
        Its number.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prefect_environment(home: Path, port: int) -> dict[str, str]:
    """Make the environment in which Prefect's commands know this server.

    Parameters
    ----------
    home : Path
        Folder of the server's database; made if it is not there.
    port : int
        The server's.

    Returns
    -------
    dict of str to str
        The present environment, with Prefect's settings.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    return os.environ | {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_PLUGINS_ENABLED": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_RUNNER_POLL_FREQUENCY": "2",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "DO_NOT_TRACK": "1",
    }


def is_healthy(address: str) -> bool:
    """Ask a server whether it is well.

    Parameters
    ----------
    address : str
        Of its pages.

    Returns
    -------
    bool
        Whether it answered.
    """
    try:
        with urlopen(f"{address}/api/health", timeout=5):
            return True
    except (URLError, OSError):
        return False


@contextmanager
def running_server(*, environment: Mapping[str, str], port: int, log: Path) -> Iterator[str]:
    """Run a Prefect server while the body runs.

    Parameters
    ----------
    environment : mapping of str to str
        From :func:`prefect_environment`.
    port : int
        Where it listens, on loopback only.
    log : Path
        Receives what it prints.

    Yields
    ------
    str
        Address of its pages.

    Raises
    ------
    PipelineError
        If it ends or does not answer in time; the message names the log.
    """
    command = ["server", "start", "--host", "127.0.0.1", "--port", str(port)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("wb") as output,
        running_process(
            [sys.executable, "-m", "prefect", *command], environment, output=output
        ) as server,
    ):
        _wait_until_healthy(server, port, log)
        yield f"http://127.0.0.1:{port}"


def stop_on_terminate() -> None:
    """Let SIGTERM end this process as Ctrl-C does: what it started is stopped first."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


@contextmanager
def running_process(
    command: list[str], environment: Mapping[str, str], *, output: object = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command while the body runs, then stop it and wait for it.

    Parameters
    ----------
    command : list of str
        What to run.
    environment : mapping of str to str
        Its environment.
    output : file, optional
        Receives what it prints; the terminal without it.

    Yields
    ------
    subprocess.Popen
        The process.
    """
    process = subprocess.Popen(  # type: ignore[call-overload]
        command,
        env=dict(environment),
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        preexec_fn=_prepare_child,
    )
    try:
        yield process
    finally:
        _stop(process)


def _prepare_child() -> None:
    """Make this child listen to us, and end when its parent is killed and so cannot stop it.

    A shell's background jobs ignore Ctrl-C and would hand that down. The end is asked of Linux, and
    comes at once: what serves a deployment would wait for ever for a server that is gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask as Ctrl-C does, on which Prefect leaves quietly; then less and less politely."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
        return


def _wait_until_healthy(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise PipelineError(
                f"Prefect's server on port {port} ended with status {server.returncode}; see {log}"
            )
        if is_healthy(f"http://127.0.0.1:{port}"):
            return
        time.sleep(0.5)
    raise PipelineError(
        f"Prefect's server on port {port} did not answer in {PATIENCE_SECONDS:.0f} s; see {log}"
    )
