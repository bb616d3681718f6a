import fcntl
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from pipeline.maintenance import maintain
from pipeline.maintenance_config import MaintenanceConfig
from pipeline.run_folder import discard_run, mark_latest
from pipeline.workspace import Workspace
from tests.pipeline.aged_workspace import age, kinds, project_at


@pytest.fixture
def project(tmp_path):
    return project_at(tmp_path / "work")


@pytest.fixture
def runs(project, run):
    """Five complete runs, the first the oldest, each with packed data of its own."""
    ids = []
    place = project.workspace.runs
    trained = place / run(runs_folder=place).id
    for number in range(5):
        name = f"masked_mean-{number * 11:012}"
        shutil.copytree(trained, place / name)
        page = place / name / "report.json"
        changed = {"id": name, "created": f"2026-01-0{number + 1}T00:00:00+00:00"}
        page.write_text(json.dumps(json.loads(page.read_text()) | changed))
        config = page.with_name("config.json")
        digest = f"{number}" * 64
        config.write_text(json.dumps(json.loads(config.read_text()) | {"data_digest": digest}))
        packed = project.workspace.packed / f"{digest[:16]}.safetensors"
        packed.parent.mkdir(exist_ok=True)
        packed.write_bytes(bytes(1000))
        age(packed, 10 - number)
        ids.append(name)
    shutil.rmtree(trained)
    mark_latest(place, name)
    return ids


def left(project):
    return {path.name for path in project.workspace.runs.glob("*") if path.is_dir()}


def with_maintenance(project, **settings):
    config = project.config.model_copy(update={"maintenance": MaintenanceConfig(**settings)})
    return replace(project, config=config)


def test_old_runs_go_but_not_those_in_use(project, runs):
    assert maintain(project).rows() == [
        {
            "kind": "packed data",
            "reason": "no run in use was trained on it",
            "count": 4,
            "bytes": 4000,
        }
    ]
    (project.workspace.root / "champion.json").write_text(json.dumps({"run": runs[1]}))
    mark_latest(project.workspace.runs, runs[0])
    done = maintain(with_maintenance(project, keep_runs=3), dry_run=True)
    assert kinds(done) == [("run", runs[2]), ("run", runs[3])]
    with project.workspace.run_lock(runs[2]).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = maintain(with_maintenance(project, keep_runs=3))
    # three are in use already
    assert kinds(done) == [("run", runs[3]), ("run", runs[4])]
    assert left(project) == {runs[0], runs[1], runs[2]}
    assert done.before - done.after == sum(entry.size for entry in done.removed)


def test_packed_data_of_the_champion_and_the_one_before_it_stay(project, runs):
    (project.workspace.root / "champion.json").write_text(
        json.dumps({"run": runs[2], "previous": runs[0]})
    )
    maintain(project)
    there = {path.name[0] for path in project.workspace.packed.iterdir()}
    assert there == {"0", "2", "4"}


def test_interrupted_runs_may_be_gone_on_with_for_a_while(project, runs):
    (project.workspace.runs / runs[1] / "report.json").unlink()
    # a killed training leaves its lock file, which nobody holds
    project.workspace.run_lock(runs[1]).write_text("{}")
    assert "interrupted run" not in {kind for kind, _ in kinds(maintain(project))}
    assert (project.workspace.packed / f"{'1' * 16}.safetensors").exists()
    age(project.workspace.runs / runs[1], 15)
    assert kinds(maintain(project)) == [("interrupted run", runs[1])]
    assert kinds(maintain(project)) == [("packed data", f"{'1' * 16}.safetensors")]


def test_a_limit_takes_the_oldest_runs_and_never_what_is_in_use(project, runs):
    root = project.workspace.root
    total = maintain(project).after
    each = (total - 2000) / 5
    roomy = with_maintenance(project, max_gigabytes=(total + 1) / 1e9)
    assert maintain(roomy).removed == ()
    (root / "champion.json").write_text(json.dumps({"run": runs[0]}))
    done = maintain(with_maintenance(project, max_gigabytes=(total - 1.5 * each) / 1e9))
    assert kinds(done) == [("run", runs[1]), ("run", runs[2])]
    assert not done.too_large
    done = maintain(with_maintenance(project, max_gigabytes=1e-6))
    assert kinds(done) == [("run", runs[3])]
    assert done.too_large
    assert "more than maintenance.max_gigabytes" in done.summary()
    assert left(project) == {runs[0], runs[4]}


def test_what_mlflow_keeps_of_deleted_runs_goes_with_them(project, runs):
    place = project.workspace.root / "mlartifacts"
    for name in runs[:2]:
        folder = place / f"m{name}" / "artifacts"
        shutil.copytree(project.workspace.runs / name, folder)
    (place / "being-logged" / "artifacts").mkdir(parents=True)
    assert "tracked files" not in {kind for kind, _ in kinds(maintain(project))}
    discard_run(project.workspace.runs, runs[0])
    done = maintain(project)
    assert kinds(done) == [("tracked files", f"m{runs[0]}")]
    assert done.before - done.after == done.removed[0].size > 1000
    assert {path.name for path in place.iterdir()} == {f"m{runs[1]}", "being-logged"}


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.chain import Project
from pipeline.config import load_config
from pipeline.maintenance import maintain
from pipeline.workspace import Workspace
config = load_config(None, {"maintenance": {"keep_runs": 1}})
def dying(real):
    def call(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)
    return call
for place in map(Path, sys.argv[1:]):
    left = int(place.name)
    child = os.fork()
    if not child:
        os.unlink, os.rename, os.rmdir = dying(os.unlink), dying(os.rename), dying(os.rmdir)
        maintain(Project(workspace=Workspace(root=place), config=config))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
"""


@pytest.mark.slow
def test_killed_at_any_instant_it_leaves_whole_runs(project, runs, tmp_path):
    places = [tmp_path / str(deletions) for deletions in (0, 1, 2, 6, 11, 30, 55)]
    for place in places:
        shutil.copytree(project.workspace.root, place)
    subprocess.run([sys.executable, "-c", KILLED, *map(str, places)], check=True)
    there = []
    for place in places:
        after = replace(project, workspace=Workspace(root=place))
        there.append(left(after))
        for run in there[-1]:
            if (place / "runs" / run / "report.json").exists():
                assert (place / "runs" / run / "seed-0").is_dir()
                assert (place / "runs" / run / "predictions.csv").exists()
        age(place, 1)
        maintain(with_maintenance(after, keep_runs=1, interrupted_days=0.0))
        assert left(after) == {runs[-1]}
        assert not list(place.rglob(".*"))
    assert len(set(map(len, there))) > 2
