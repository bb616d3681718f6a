import sys

import pytest

from flows.serve import _wait, serve, serve_command
from flows.server import running_process
from pipeline.errors import ConfigError, PipelineError, SourceError


def test_what_is_wrong_is_refused_before_a_server_is_started(tmp_path):
    work, config = tmp_path / "work", tmp_path / "config.yaml"
    config.write_text("words: {kind: none}\n")
    with pytest.raises(ConfigError, match=r"words\.kind"):
        serve(workspace=work, config=config)
    with pytest.raises(ConfigError, match="no deployment 'nothing'"):
        serve(workspace=work, schedule=("nothing=0 3 * * *",))
    with pytest.raises(SourceError, match="no such folder to watch"):
        serve(workspace=work, videos=str(tmp_path / "none"), watch=True)
    assert not work.exists()


def test_a_process_that_ends_is_told(tmp_path):
    sleeps, ends = "import time; time.sleep(60)", "raise SystemExit(3)"
    with (
        running_process([sys.executable, "-c", sleeps], {}) as served,
        running_process([sys.executable, "-c", ends], {}) as watcher,
    ):
        processes = {"serves the deployments": served, "watches the folder": watcher}
        with pytest.raises(PipelineError, match="watches the folder ended with status 3"):
            _wait(processes, "http://127.0.0.1:1", tmp_path / "server.log")


def test_the_command_names_what_it_was_given(tmp_path):
    command = serve_command("videos", tmp_path, tmp_path / "c.yaml", ["0 3 * * *"], 2)
    assert command[1:3] == ["-m", "flows.deployments"]
    for option, value in (("--config", str(tmp_path / "c.yaml")), ("--limit", "2")):
        assert command[command.index(option) + 1] == value
