import csv
import fcntl
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.chain import Project
from pipeline.config import load_config
from pipeline.errors import DataError, RunError, SourceError, WorkspaceError
from pipeline.records import Failure
from pipeline.splits import Split
from pipeline.workspace import Workspace

SAMPLES = Path(__file__).parents[2] / "sample_videos"
SETTINGS = {
    "training.max_epochs": 2,
    "training.seeds": [0],
    "training.device": "cpu",
    "extractors": {"covarep": {}, "bert": {}},
    "jobs": 1,
    # the clips say no words
    "words": {"alignment": "none", "asr": "none"},
}


@pytest.fixture
def make_project(tmp_path):
    def make(name="work", **more):
        config = load_config(None, SETTINGS | more)
        return Project(workspace=Workspace(root=tmp_path / name), config=config)

    return make


@pytest.fixture
def project(make_project):
    return make_project()


@pytest.fixture
def videos(tmp_path, make_clip):
    """Six clips of sound, labelled in words and numbers, and one without a label."""
    rows = []
    for number, split in enumerate(["train"] * 3 + ["valid", "test", "test", None]):
        path = make_clip(path=f"videos/clip {number}.wav", picture=None, seconds=2.0 + number / 10)
        path.with_suffix(".srt").write_text(
            "1\n00:00:00,100 --> 00:00:00,900\nQuite good.\n\n"
            "2\n00:00:01,000 --> 00:00:01,900\nRather bad.\n"
        )
        if split:
            rows += [[path.name, "0", "0.95", "1.5", split], [path.name, "0.95", "2", "-1", split]]
    with (tmp_path / "videos" / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["video", "start", "end", "label", "split"], *rows])
    return tmp_path / "videos"


def extract(project):
    report = project.extract(project.plan())
    project.finish_extraction(report)
    return report


def test_nothing_was_ingested(project):
    for step in (project.clips, project.plan, project.pack, project.train, project.keys):
        with pytest.raises(SourceError, match="work: nothing was ingested here") as caught:
            step()
        assert caught.value.code == "not_ingested"
    assert not project.workspace.root.exists()


def test_a_missing_folder(project, tmp_path):
    with pytest.raises(SourceError, match="no such folder"):
        project.ingest(tmp_path / "none")


def test_nothing_was_extracted(project, videos):
    project.ingest(videos)
    with pytest.raises(DataError, match="none of 13 utterances has any feature"):
        project.train()


def test_training_needs_labels_in_every_split(project, videos):
    (videos / "labels.csv").unlink()
    project.ingest(videos)
    for clip_id, keys in project.plan().keys.items():
        assert set(keys) == {"covarep", "bert"}, clip_id
    project = replace(
        project, config=project.config.model_copy(update={"extractors": {"covarep": {}}})
    )
    extract(project)
    with pytest.raises(DataError, match=r"'train': 0, 'valid': 0, 'test': 0.*labels\.csv"):
        project.train()


def test_failures_of_one_step_replace_those_of_the_same_step(project, videos):
    (videos / "bad.mp4").write_text("no video")
    project.ingest(videos)
    assert [(f.step, f.code) for f in project.failures()] == [("ingest", "not_media")]
    report = project.extract(replace(project.plan(), jobs=()))
    for code in ("first", "second"):
        failure = Failure(item="x", step="extract:bert", code=code, detail="d")
        project.finish_extraction(replace(report, failures=(failure,)))
        assert [f.code for f in project.failures()] == ["not_media", code]
    facts = json.loads(project.workspace.extraction.read_text())
    assert facts["extracted"] == {"covarep": 0, "bert": 0}
    project.ingest(videos)
    assert [f.code for f in project.failures()] == ["not_media"]


def test_a_clip_that_fails_again_and_again_is_left_alone(make_project, videos):
    project = make_project(quarantine_after=2)
    project.ingest(videos)
    everything = project.plan()
    clip = everything.jobs[3].clip
    report = project.extract(replace(everything, jobs=()))
    failure = Failure(
        item=clip.path, step="extract:covarep", code="timed_out", detail="slow", clip_id=clip.id
    )
    for _ in range(2):
        assert project.plan() == everything
        project.finish_extraction(replace(report, failures=(failure,)))
        assert [f.code for f in project.failures()] == ["timed_out"]
    left = project.plan()
    assert left.keys == everything.keys
    assert [set(job.missing) for job in left.jobs] == [
        {"bert"} if job.clip == clip else {"covarep", "bert"} for job in everything.jobs
    ]
    # what was not tried is still told of
    project.finish_extraction(report)
    (told,) = project.failures()
    assert (told.code, told.item, told.step) == ("quarantined", clip.path, "extract:covarep")
    assert "timed_out (slow)" in told.detail
    # another extractor's settings, other content, or the user's word
    assert make_project(
        quarantine_after=2, extractors={"covarep": {"columns": "urfunny"}}
    ).plan().jobs[3].missing.keys() == {"covarep"}
    project.quarantine.forget(failure.key for failure in project.quarantine.held)
    assert project.plan() == everything


def test_room_is_asked_for_before_anything_is_done(make_project, videos):
    project = make_project(reserve_megabytes=1e12)
    project.ingest(videos)
    plan = project.plan()
    with pytest.raises(WorkspaceError, match="extraction from 7 clips needs about") as caught:
        project.require_space(plan)
    assert caught.value.code == "disk_full"
    project.require_space(replace(plan, jobs=()))


def test_the_store_can_lie_elsewhere(make_project, tmp_path):
    project = make_project(store=str(tmp_path / "elsewhere"))
    assert project.store.root == str(tmp_path / "elsewhere")
    assert make_project().store.root == str(tmp_path / "work" / "features")


@pytest.mark.slow
def test_from_videos_to_predictions(project, videos, make_clip):
    project.ingest(videos)
    report = extract(project)
    assert report.extracted == {"covarep": 7, "bert": 7}
    assert project.failures() == []

    dataset, split = project.pack()
    assert split == Split.load(project.workspace.split)
    assert [len(part) for part in (split.train, split.valid, split.test)] == [6, 2, 4]
    assert len(dataset) == 13

    run = project.train(extraction=report, timings={"extract": 1.0})
    assert run.data["clips"] == 7
    assert run.data["split"] == "given"
    assert run.timings["extract"] == 1.0
    assert (project.workspace.runs / run.id / "report.md").exists()
    assert project.train().id == run.id

    # another process that trains the run keeps out who would train it too, and nobody else
    hasty = replace(project, config=project.config.model_copy(update={"wait_seconds": 0.0}))
    with project.workspace.run_lock(run.id).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(WorkspaceError, match=f"runs/{run.id}: another process is at work"):
            hasty.train()
        assert len(hasty.pack()[0]) == 13
    assert hasty.train().id == run.id

    evaluation = project.evaluate()
    assert evaluation.intervals == run.intervals["test"]
    scores = evaluation.metrics
    assert set(scores) == {"seed 0", "ensemble"}
    assert scores["seed 0"].n == 4
    assert scores["ensemble"].mae == pytest.approx(run.ensemble["test"].mae, abs=1e-6)
    assert project.evaluate(on="train").metrics["ensemble"].n == 6
    with pytest.raises(DataError, match="unknown split 'dev'"):
        project.evaluate(on="dev")
    with pytest.raises(RunError, match="no complete run 'none'"):
        project.evaluate(run="none")

    with project.predict().open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["text"] for row in rows] == ["Quite good. Rather bad."]
    assert {row["video"] for row in rows} == {str(videos / "clip 6.wav")}
    assert all(-10 < float(row["prediction"]) < 10 for row in rows)

    # one more video is one more extraction
    new = make_clip(path="videos/new.wav", picture=None, seconds=1.3)
    project.ingest(videos)
    assert extract(project).extracted == {"covarep": 1, "bert": 0}
    (failure,) = project.failures()
    assert (failure.code, failure.item) == ("no_transcript", str(new))
    # labels are as they were: so is the run, and its other checkpoints predict the new video
    predicted = project.predict().read_text()
    assert str(new) in predicted


@pytest.mark.slow
def test_talking_heads(make_project, tmp_path):
    project = make_project(extractors={"covarep": {}, "openface": {}, "bert": {}})
    videos = tmp_path / "heads"
    videos.mkdir()
    for stem in ("sample_04", "sample_08", "sample_10"):
        for path in SAMPLES.glob(f"{stem}.*"):
            shutil.copy(path, videos)
    shutil.copy(SAMPLES / "labels.csv", videos)
    project.ingest(videos)
    assert extract(project).extracted == {"covarep": 3, "openface": 3, "bert": 3}
    run = project.train()
    assert run.data["utterances"] == {"train": 6, "valid": 6, "test": 6}
    assert {f.code for f in project.failures()} == {"unknown_clip"}
    dataset, _ = project.pack()
    assert set(dataset.modalities) == {"text", "audio", "vision"}
    valid = {name: ragged.valid.float().mean() for name, ragged in dataset.modalities.items()}
    assert valid["vision"] > 0.5
