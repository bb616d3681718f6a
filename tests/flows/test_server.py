import os
import signal
import subprocess
import sys
import time

import pytest

from flows.server import free_port, prefect_environment, running_process, running_server
from pipeline.errors import PipelineError

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# Ignores the polite signals, as a process does that hangs.
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    "print('ready', flush=True)\n"
    "time.sleep(600)",
]


def is_running(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{number}/stat") as stat:  # noqa: PTH123
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


def wait_until_gone(number, seconds=20.0):
    deadline = time.monotonic() + seconds
    while is_running(number) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not is_running(number)


def test_a_process_runs_as_long_as_the_body():
    with running_process(SLEEP, os.environ) as process:
        assert process.poll() is None
    assert process.returncode == -signal.SIGINT


def test_a_process_is_stopped_when_the_body_fails():
    def fail():
        with running_process(SLEEP, os.environ) as process:
            started.append(process)
            raise KeyError("body")

    started: list[subprocess.Popen[bytes]] = []
    with pytest.raises(KeyError):
        fail()
    assert started[0].returncode == -signal.SIGINT


@pytest.mark.slow
def test_a_process_that_does_not_listen_is_stopped_all_the_same():
    with running_process(STUBBORN, os.environ, output=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    assert process.returncode == -signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="a wish that only Linux grants")
def test_a_child_does_not_outlive_a_killed_parent():
    program = (
        "import os, sys, time\n"
        "from flows.server import running_process\n"
        f"with running_process({SLEEP!r}, os.environ) as child:\n"
        "    print(child.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
    assert wait_until_gone(child)


def test_free_ports_can_be_listened_on():
    assert 1024 <= free_port() < 65536


def test_environment_names_server_and_database(tmp_path):
    environment = prefect_environment(tmp_path / "home", 4321)
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"
    assert environment["PREFECT_HOME"] == str(tmp_path / "home")
    assert (tmp_path / "home").is_dir()
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.slow
@pytest.mark.flow
def test_a_server_that_cannot_start_is_an_error_that_names_its_log(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = prefect_environment(tmp_path / "home", port)
        server = running_server(environment=environment, port=port, log=tmp_path / "server.log")
        with (
            pytest.raises(PipelineError, match=r"ended with status \d+; see .*server\.log"),
            server,
        ):
            pass
