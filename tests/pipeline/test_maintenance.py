import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pytest

from extractors.sequence import FeatureSequence
from pipeline.chain import Project
from pipeline.download import Download, list_downloads
from pipeline.errors import ConfigError
from pipeline.maintenance import maintain
from pipeline.maintenance_config import MaintenanceConfig
from pipeline.manifest import read_manifest, write_manifest
from pipeline.removals import RemovedClip
from tests.pipeline.aged_workspace import age, kinds, project_at

SEQUENCE = FeatureSequence(
    values=np.ones((4, 2), np.float32),
    times=np.array([[i / 4, (i + 1) / 4] for i in range(4)]),
    names=("a", "b"),
    valid=np.ones(4, np.bool_),
)


@pytest.fixture
def make_project(tmp_path):
    return partial(project_at, tmp_path / "work")


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


def test_limits_that_make_no_sense():
    for settings in ({"keep_runs": 0}, {"grace_days": -1.0}, {"max_gigabytes": 0.0}):
        with pytest.raises(ConfigError, match="maintenance"):
            MaintenanceConfig(**settings)
