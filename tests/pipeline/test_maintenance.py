import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from extractors.sequence import FeatureSequence
from pipeline.chain import Project
from pipeline.config import load_config
from pipeline.download import Download, list_downloads
from pipeline.errors import ConfigError
from pipeline.maintenance import maintain
from pipeline.maintenance_config import MaintenanceConfig
from pipeline.manifest import read_manifest, write_manifest
from pipeline.removals import RemovedClip
from pipeline.run_folder import discard_run, mark_latest
from pipeline.workspace import Workspace

SETTINGS = {
    "extractors": {"covarep": {}},
    "jobs": 1,
    "words": {"alignment": "none", "asr": "none"},
    "wait_seconds": 0.0,
}
SEQUENCE = FeatureSequence(
    values=np.ones((4, 2), np.float32),
    times=np.array([[i / 4, (i + 1) / 4] for i in range(4)]),
    names=("a", "b"),
    valid=np.ones(4, np.bool_),
)


def age(path, days):
    """Let a file or folder look as if it had been written days ago."""
    at = time.time() - days * 86400
    for entry in [*path.rglob("*"), path] if path.is_dir() else [path]:
        os.utime(entry, (at, at))


@pytest.fixture
def make_project(tmp_path):
    def make(**more):
        config = load_config(None, SETTINGS | more)
        return Project(workspace=Workspace(root=tmp_path / "work"), config=config)

    return make


@pytest.fixture
def project(make_project):
    return make_project()


@pytest.fixture
def folder(tmp_path, make_clip):
    for number in range(3):
        make_clip(path=f"videos/{number}.wav", picture=None, seconds=1 + number / 10)
    return tmp_path / "videos"


@pytest.fixture
def stored(project, folder):
    """Ingest, and store a sequence for every clip."""
    project.ingest(folder)
    for job in project.plan().jobs:
        for key in job.missing.values():
            project.store.put(key, SEQUENCE)
    return project


def sequences(project):
    return [f for f in project.store.files() if f.path.endswith(".safetensors")]


def kinds(done):
    return sorted((entry.kind, entry.name.rpartition("/")[2]) for entry in done.removed)


def test_nothing_to_do(stored):
    done = maintain(stored)
    assert done.removed == ()
    assert done.before == done.after > 1000
    assert done.rows() == []
    assert done.summary().startswith("0 deleted, 0.0 MB freed")


def test_a_workspace_that_is_not_there(project):
    assert maintain(project).removed == ()
    assert not project.workspace.root.exists()


def test_features_of_a_removed_clip_stay_for_a_while(stored, folder):
    (folder / "1.wav").rename(folder.parent / "1.wav")
    stored.ingest(folder)
    (removed,) = read_manifest(stored.workspace.removed, RemovedClip)
    assert (removed.path, removed.gone) == (str(folder / "1.wav"), True)
    age(stored.workspace.features, 100)
    assert maintain(stored).removed == ()
    # it comes back: nothing is extracted
    (folder.parent / "1.wav").rename(folder / "1.wav")
    stored.ingest(folder)
    assert read_manifest(stored.workspace.removed, RemovedClip) == []
    assert stored.plan().jobs == ()
    # it is away for too long
    (folder / "1.wav").unlink()
    stored.ingest(folder)
    (removed,) = read_manifest(stored.workspace.removed, RemovedClip)
    long_ago = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    write_manifest(stored.workspace.removed, [replace(removed, since=long_ago)])
    done = maintain(stored, dry_run=True)
    assert kinds(done) == [("features", f"{removed.clip_id}.safetensors")]
    assert done.before - done.after == done.removed[0].size
    assert "1 would be deleted" in done.summary()
    assert len(sequences(stored)) == 3
    assert maintain(stored) == replace(done, dry_run=False)
    assert len(sequences(stored)) == 2
    assert stored.store.verify() == []
    assert stored.plan().jobs == ()


def test_features_of_other_settings_go_when_they_are_old(stored, make_project):
    other = make_project(extractors={"covarep": {"columns": "urfunny"}})
    for job in other.plan().jobs:
        other.store.put(job.missing["covarep"], SEQUENCE)
    assert len(sequences(stored)) == 6
    assert maintain(stored).removed == ()
    age(stored.workspace.features, 8)
    assert [kind for kind, _ in kinds(maintain(stored))] == ["features"] * 4
    assert len(sequences(stored)) == 3


def test_features_that_another_configuration_uses_stay(stored, make_project):
    other = make_project(extractors={"librosa33": {}})
    age(stored.workspace.features, 100)
    assert stored.plan().jobs == ()
    # as by `winnow maintain` without the configuration that the flows are given
    assert maintain(other).removed == ()
    age(stored.workspace.features, 100)
    assert {kind for kind, _ in kinds(maintain(other))} == {"features"}
    assert sequences(stored) == []


def test_features_of_runs_that_are_kept_stay(stored, make_project):
    """The champion was trained with other settings than the configuration names today."""
    before, other = stored.plan().keys, make_project(extractors={"librosa33": {}})
    (folder,) = {key.path.rpartition("/")[0] for by in before.values() for key in by.values()}
    for run in ("old", "champion"):
        place = stored.workspace.runs / run
        place.mkdir(parents=True)
        (place / "config.json").write_text(json.dumps({"data_digest": "", "features": [folder]}))
        (place / "report.json").write_text(json.dumps({"created": "2026-01-01T00:00:00+00:00"}))
    stored.workspace.champion.write_text(json.dumps({"run": "champion"}))
    age(stored.workspace.features, 100)
    assert {kind for kind, _ in kinds(maintain(other))} <= {"run"}
    assert len(sequences(stored)) == 3
    # a clip that is gone for good, and a run that goes
    stored.store.put(replace(next(iter(before.values()))["covarep"], clip_id="f" * 64), SEQUENCE)
    age(stored.workspace.features, 100)
    assert kinds(maintain(other)) == [("features", f"{'f' * 64}.safetensors")]
    shutil.rmtree(stored.workspace.runs)
    assert len(maintain(other, dry_run=True).removed) == 4


@pytest.mark.parametrize("today", ["bert", "librosa33"])
def test_features_of_words_that_were_edited_go_when_they_are_old(make_project, folder, today):
    """Of settings in use; of a run's own settings nobody knows which words it read."""
    before = make_project(extractors={"bert": {}})
    said = "1\n00:00:00,000 --> 00:00:00,500\n{}.\n"
    for text in ("Good", "Bad"):
        (folder / "0.srt").write_text(said.format(text))
        before.ingest(folder)
        (job,) = before.plan().jobs
        before.store.put(job.missing["bert"], SEQUENCE)
    new = job.missing["bert"].path.rpartition("/")
    run = before.workspace.runs / "champion"
    run.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps({"data_digest": "", "features": [new[0]]}))
    before.workspace.champion.write_text(json.dumps({"run": "champion"}))
    project = make_project(extractors={today: {}})
    assert maintain(project).removed == ()
    age(before.workspace.features, 8)
    gone = [name for kind, name in kinds(maintain(project)) if kind == "features"]
    kept = [stored.path.rpartition("/")[2] for stored in sequences(before)]
    if today == "librosa33":
        assert (gone, len(kept)) == ([], 2)
    else:
        assert ([name[:64] for name in gone], kept) == ([job.clip.id], [new[2]])


def test_a_dry_run_writes_nothing(stored, make_project):
    other = make_project(extractors={"librosa33": {}})
    (stored.workspace.runs / "run").mkdir(parents=True)
    stored.workspace.run_lock("run").touch()

    def everything():
        root = stored.workspace.root
        return {path: path.stat().st_mtime_ns for path in [root, *root.rglob("*")]}

    age(stored.workspace.root, 100)
    before = everything()
    assert maintain(other, dry_run=True).removed
    assert everything() == before


def test_clips_to_be_predicted_keep_their_features(stored, folder, make_clip):
    make_clip(path="new/new.wav", picture=None, seconds=1.7)
    inner = Project(
        workspace=stored.workspace.for_predictions,
        config=stored.config.model_copy(update={"store": stored.store.root}),
    )
    inner.ingest(folder.parent / "new")
    stored.store.put(inner.plan().jobs[0].missing["covarep"], SEQUENCE)
    age(stored.workspace.features, 100)
    assert maintain(stored).removed == ()


def test_a_damaged_sequence_is_deleted_and_extracted_again(stored):
    path = stored.workspace.features / sequences(stored)[1].path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    done = maintain(stored)
    assert kinds(done) == [("damaged features", path.name)]
    assert "does not have its digest" in done.damaged[0].reason
    (job,) = stored.plan().jobs
    assert job.missing["covarep"].path.endswith(path.name)
    path.write_bytes(content)
    careless = replace(
        stored,
        config=stored.config.model_copy(update={"maintenance": MaintenanceConfig(verify=False)}),
    )
    assert maintain(careless).removed == ()


def test_a_shared_store_is_cleaned_only_if_nobody_else_uses_it(make_project, folder, tmp_path):
    place = str(tmp_path / "shared")
    project = make_project(store=place)
    project.ingest(folder)
    for job in project.plan().jobs:
        project.store.put(job.missing["covarep"], SEQUENCE)
    other = make_project(store=place, extractors={"librosa33": {}})
    assert len(other.plan().jobs) == 3
    age(tmp_path / "shared", 100)
    assert maintain(other).removed == ()
    sole = make_project(
        store=place, extractors={"librosa33": {}}, **{"maintenance.sole_user": True}
    )
    done = maintain(sole)
    assert [kind for kind, _ in kinds(done)] == ["features"] * 4
    assert done.before - done.after == sum(entry.size for entry in done.removed)


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


def test_what_killed_runs_left_goes_after_an_hour(stored):
    root = stored.workspace.root
    written = next(stored.workspace.features.glob("covarep/*/*.json")).parent
    beside = str(written.relative_to(root) / ".b.part")
    for name in (".a.part", "runs/.mind-0.part/seed-0/x", beside, "words/.c.part"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(bytes(10))
    (root / "prefect").mkdir()
    (root / "prefect" / "server.log").write_text("x")
    assert maintain(stored).removed == ()
    age(root, 0.05)
    done = maintain(stored)
    assert kinds(done) == [
        ("features", ".b.part"),
        ("temporary file", ".a.part"),
        ("temporary file", ".c.part"),
        ("temporary file", ".mind-0.part"),
    ]
    assert sum(entry.size for entry in done.removed) == 40
    assert not list(root.rglob("*.part"))
    age(root / "prefect", 15)
    assert kinds(maintain(stored)) == [("log", "server.log")]


def test_downloads_that_are_not_named_any_more(stored, folder):
    workspace = stored.workspace
    workspace.downloads.mkdir()
    write_manifest(
        workspace.downloads / "downloads.jsonl",
        [
            Download(
                key=name,
                path=str(workspace.downloads / f"{name}.wav"),
                subtitles=None,
                page="",
                title="",
                channel="",
                licence="",
            )
            for name in ("a", "b", "c")
        ],
    )
    for number, name in enumerate(("a", "b", "c")):
        shutil.copy(folder / f"{number}.wav", workspace.downloads / f"{name}.wav")
        (workspace.downloads / f"{name}.vtt").write_text("WEBVTT")
    entry = RemovedClip(
        clip_id="0" * 64, path="", duration=1.0, gone=False, since="2026-01-01T00:00:00+00:00"
    )
    lately = datetime.now(UTC).isoformat()
    write_manifest(
        workspace.removed,
        [
            replace(entry, path=str(workspace.downloads / "a.wav")),
            replace(entry, path=str(workspace.downloads / "b.wav"), since=lately),
            # not ours
            replace(entry, path=str(folder / "0.wav")),
        ],
    )
    assert kinds(maintain(stored)) == [("download", "a.wav")]
    names = {path.name for path in workspace.downloads.iterdir()}
    assert names == {"b.wav", "b.vtt", "c.wav", "c.vtt", "downloads.jsonl"}
    assert [item.key for item in list_downloads(workspace.downloads)] == ["b", "c"]
    assert (folder / "0.wav").exists()


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


def test_limits_that_make_no_sense():
    for settings in ({"keep_runs": 0}, {"grace_days": -1.0}, {"max_gigabytes": 0.0}):
        with pytest.raises(ConfigError, match="maintenance"):
            MaintenanceConfig(**settings)


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
