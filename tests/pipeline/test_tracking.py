import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import mlflow.artifacts
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from pipeline.chain import Project
from pipeline.champion import clear_champion, set_champion
from pipeline.config import load_config
from pipeline.run_folder import load_run
from pipeline.tracking import Tracked, track_all, track_champion, track_run, tracking_uri
from pipeline.workspace import Workspace


@pytest.fixture
def project(tmp_path, monkeypatch, empty_database, finished_runs):
    monkeypatch.delenv("WINNOW_TRACKING", raising=False)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    shutil.copytree(finished_runs, tmp_path / "runs")
    return Project(workspace=Workspace(root=tmp_path), config=load_config(None))


@pytest.fixture
def two(project):
    """Both runs of the workspace, first that of two seeds."""
    runs = project.workspace.runs
    names = [path.parent.name for path in runs.glob("*/report.json")]
    return sorted((load_run(runs, name) for name in names), key=lambda one: -len(one.seeds))


def configured(project, **settings):
    named = {f"tracking.{name}": value for name, value in settings.items()}
    return replace(project, config=load_config(None, named))


def client(project):
    uri = tracking_uri(project)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def runs_of(project, view=ViewType.ACTIVE_ONLY):
    found = client(project)
    experiment = found.get_experiment_by_name(project.config.tracking.experiment)
    return list(found.search_runs([experiment.experiment_id], run_view_type=view))


def versions_of(project):
    return list(client(project).search_model_versions("name = 'winnow'"))


def champion_of(project):
    """The run that the alias leads to; None without an alias."""
    model = client(project).get_registered_model("winnow")
    if "champion" not in model.aliases:
        return None
    version = client(project).get_model_version_by_alias("winnow", "champion")
    return client(project).get_run(version.run_id).data.tags["winnow.run"]


def test_a_finished_run_is_logged_once(project, two, tmp_path):
    report = two[0]
    shutil.rmtree(project.workspace.runs / two[1].id)
    assert track_run(project, report) == Tracked(logged=(report.id,))
    for again in (track_run, lambda project, report: track_all(project)):
        assert again(project, report) == Tracked(present=(report.id,))
    (tmp_path / "tracking.json").unlink()
    assert track_run(project, report) == Tracked(present=(report.id,))

    (logged,) = runs_of(project)
    assert logged.info.status == "FINISHED"
    assert logged.info.run_name == report.id
    assert logged.data.params["training.batch_size"] == "8"
    assert logged.data.metrics["test/mae/mean"] == pytest.approx(report.summary["test"]["mae"].mean)
    assert logged.data.metrics["test/mae/high"] == report.intervals["test"]["mae"].high
    found = client(project)
    for seed in report.seeds:
        curve = found.get_metric_history(logged.info.run_id, f"seed_{seed.seed}/valid_mae")
        assert [(point.step, point.value) for point in curve] == [
            (record.epoch, record.valid_mae) for record in seed.history
        ]
    (version,) = versions_of(project)
    assert version.run_id == logged.info.run_id
    kept = Path(
        mlflow.artifacts.download_artifacts(version.source, tracking_uri=tracking_uri(project))
    )
    folder = tmp_path / "runs" / report.id
    for name in ("report.html", "report.md", "report.json", "seed-1/model.safetensors"):
        assert (kept / name).read_bytes() == (folder / name).read_bytes()
    assert not list(tmp_path.rglob("*.pkl"))
    assert project.failures() == []

    # trained anew it is another
    again = replace(report, created=datetime.now(UTC).isoformat())
    assert track_run(project, again) == Tracked(logged=(report.id,))
    assert len(runs_of(project)) == len(versions_of(project)) == 2


@pytest.mark.parametrize("step", ["log_batch", "log_artifact", "set_terminated"])
def test_killed_in_between_it_is_still_logged_once(project, two, monkeypatch, step):
    report = two[0]

    def die(*arguments, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, step, die)
        with pytest.raises(KeyboardInterrupt):
            track_run(project, report)
    assert track_run(project, report) == Tracked(logged=(report.id,))
    (logged,) = runs_of(project)
    (version,) = versions_of(project)
    assert version.run_id == logged.info.run_id
    assert len(runs_of(project, ViewType.ALL)) == 2


def test_the_alias_follows_the_champion(project, two):
    first, second = two
    track_run(project, first)
    assert champion_of(project) is None
    # a champion that was not logged yet is logged now
    set_champion(project.workspace, second.id)
    assert track_champion(project) == Tracked()
    assert champion_of(project) == second.id
    assert len(runs_of(project)) == 2
    set_champion(project.workspace, first.id, new_test=True)
    track_run(project, first)
    assert champion_of(project) == first.id
    clear_champion(project.workspace)
    track_champion(project)
    assert champion_of(project) is None


def test_what_cannot_be_tracked_is_logged_later(project, two, tmp_path, caplog):
    first, second = two
    (tmp_path / "mlartifacts").write_text("no folder")
    done = track_run(project, first)
    assert done.logged == ()
    assert "mlartifacts" in done.failure
    (told,) = [one.message for one in caplog.records if one.name == "pipeline.tracking"]
    assert "not tracked" in told
    (failure,) = project.failures()
    assert (failure.step, failure.code, failure.item) == ("tracking", "not_tracked", first.id)
    (tmp_path / "mlartifacts").unlink()
    assert track_run(project, second) == Tracked(logged=(first.id, second.id))
    assert project.failures() == []
    assert len(runs_of(project)) == 2


def test_off_is_off(project, two, monkeypatch, tmp_path):
    report = two[0]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    off = configured(project, mode="off")
    assert track_run(off, report) == track_champion(off) == Tracked()
    monkeypatch.setenv("WINNOW_TRACKING", "off")
    assert track_run(project, report) == track_champion(project) == Tracked()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_weights_can_stay_where_they_are(project, two):
    report = two[0]
    track_run(configured(project, weights=False), report)
    (logged,) = runs_of(project)
    names = {file.path for file in client(project).list_artifacts(logged.info.run_id, "seed-0")}
    assert names == {"seed-0/result.json"}


@contextmanager
def mlflow_server(folder, port):
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--workers", "1"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True
        )
        try:
            until = time.monotonic() + 120
            while not is_healthy(port):
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until
                time.sleep(0.2)
            yield
        finally:
            # the workers too, which a server that is killed leaves behind
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def is_healthy(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@pytest.mark.slow
def test_a_server_that_is_down_and_then_up(project, two, tmp_path, empty_database):
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copy(empty_database, folder / "server.db")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    project = configured(project, uri=f"http://127.0.0.1:{port}")
    report = two[0]
    shutil.rmtree(project.workspace.runs / two[1].id)
    set_champion(project.workspace, report.id)
    started = time.monotonic()
    assert track_run(project, report).failure
    assert time.monotonic() - started < 20
    with mlflow_server(folder, port):
        assert track_run(project, report) == Tracked(logged=(report.id,))
        assert track_all(project) == Tracked(present=(report.id,))
        (logged,) = runs_of(project)
        assert logged.data.metrics["test/mae/mean"] == report.summary["test"]["mae"].mean
        assert champion_of(project) == report.id
        kept = next((folder / "artifacts").rglob("report.html"))
        page = tmp_path / "runs" / report.id / "report.html"
        assert kept.read_bytes() == page.read_bytes()
    assert project.failures() == []
