import csv
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import models.base
from pipeline.chain import Project
from pipeline.checkpoint import load_checkpoint
from pipeline.config import RunConfig
from pipeline.errors import DataError, RunError, SourceError
from pipeline.run_folder import load_run
from pipeline.run_predictions import read_predictions
from pipeline.runs import train_run
from pipeline.video_prediction import predict_videos, prediction_project
from pipeline.workspace import Workspace
from tests.conftest import write_clip
from tests.pipeline.conftest import MaskedMean

SRT = "1\n00:00:00,100 --> 00:00:00,700\nQuite good.\n\n2\n00:00:00,700 --> 00:00:01,200\nYes.\n"


def write_talk(path, *, seconds=1.3):
    path.parent.mkdir(exist_ok=True)
    write_clip(path=path, picture=None, seconds=seconds)
    path.with_suffix(".srt").write_text(SRT)
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with a run of three seeds; every test predicts videos of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.base._REGISTRY, MaskedMean.name, MaskedMean)
        yield train(tmp_path_factory.mktemp("trained"))


def train(folder):
    rows = []
    for number, split in enumerate(["train", "train", *["valid"] * 10, "test"]):
        path = write_talk(folder / "known" / f"{number}.wav", seconds=1.25 + number / 50)
        label = (number % 7) - 3
        rows += [[path.name, 0.1, 0.7, label, split], [path.name, 0.7, 1.2, label, split]]
    with (folder / "known" / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["video", "start", "end", "label", "split"], *rows])
    config = RunConfig.model_validate(
        {
            "extractors": {"covarep": {}},
            "model": {"name": MaskedMean.name},
            "training": {"max_epochs": 2, "seeds": [0, 1, 2], "device": "cpu", "min_batch": 2},
            "jobs": 1,
        }
    )
    project = Project(workspace=Workspace(root=folder / "work"), config=config)
    project.ingest(folder / "known")
    report = project.extract(project.plan())
    project.finish_extraction(report)
    project.train()
    return project


def known(project):
    """A clip of the test split."""
    return project.workspace.root.parent / "known" / "12.wav"


def test_new_videos_are_predicted(trained, tmp_path):
    first = write_talk(tmp_path / "first.wav", seconds=1.6)
    second = write_talk(tmp_path / "second.wav", seconds=1.65)
    report = predict_videos(trained, [first, second])
    assert [video.path for video in report.videos] == [str(first), str(second)]
    assert (report.extracted, report.stored) == ({"covarep": 2}, {"covarep": 0})
    assert report.run.startswith("masked_mean-")
    for video in report.videos:
        assert [said.text for said in video.utterances] == ["Quite good. Yes."]
        for said in video.utterances:
            assert_consistent(said)
    residuals = check_residuals(trained, report)
    said = report.videos[0].utterances[0]
    # 20 validated utterances: the 20th of 21 is the largest
    radius = np.abs(residuals).max()
    assert said.label_interval.low == pytest.approx(max(said.prediction - radius, -3))
    assert said.label_interval.high == pytest.approx(min(said.prediction + radius, 3))

    # the second time nothing is extracted, and only what is named is predicted
    again = predict_videos(trained, [second], run=report.run)
    assert (again.extracted, again.stored) == ({"covarep": 0}, {"covarep": 1})
    (video,), (before,) = again.videos, report.videos[1:]
    assert video.path == before.path
    assert [said.id for said in video.utterances] == [said.id for said in before.utterances]
    assert video.utterances[0].by_seed == pytest.approx(before.utterances[0].by_seed, abs=1e-5)


def assert_consistent(said):
    assert said.prediction == pytest.approx(np.mean(said.by_seed))
    assert said.sd == pytest.approx(np.std(said.by_seed, ddof=1))
    assert said.seed_interval.low < said.prediction < said.seed_interval.high
    assert said.modalities == ("audio",)
    moved = said.prediction - said.without_all
    assert sum(said.contributions.values()) == pytest.approx(moved, abs=1e-9)
    assert said.contributions["audio"] != 0
    assert (said.predicted_class, said.class_probabilities, said.class_set) == (None, {}, None)
    assert not said.seen


def check_residuals(project, report):
    scored = read_predictions(project.workspace.runs / report.run / "predictions.csv", on="valid")
    assert report.validated == len(scored.ids) == 20
    return scored.target - scored.by_seed.mean(axis=0)


def test_predictions_are_those_of_the_run(trained):
    """What was trained on can be predicted too, gives the run's own numbers, and is marked."""
    report = predict_videos(trained, [trained.workspace.root.parent / "known"], level=0.5)
    found = {said.id: said for video in report.videos for said in video.utterances}
    for on in ("train", "valid", "test"):
        path = trained.workspace.runs / report.run / "predictions.csv"
        scored = read_predictions(path, on=on)
        for row, name in enumerate(scored.ids):
            assert found[name].by_seed == pytest.approx(scored.by_seed[:, row], abs=1e-5)
            assert found[name].label == scored.target[row]
            assert found[name].seen == (on != "test")
    valid = read_predictions(path, on="valid")
    # half of 20 residuals lie within the 11th smallest: ceil(21 * 0.5); they are kept to 6 digits
    inside = [
        found[name].label_interval.low - 1e-5 <= label <= found[name].label_interval.high + 1e-5
        for name, label in zip(valid.ids, valid.target, strict=True)
    ]
    assert sum(inside) == 11


def test_intervals_are_not_cut_where_the_known_labels_happen_to_be_weak(trained):
    """Its scores are those of CH-SIMS too; the radius is that of labels to 3: more than 1."""
    runs = trained.workspace.runs
    known_run = load_run(runs)
    scores = {"sims": known_run.collection["nonzero"]}
    folder = shutil.copytree(runs / known_run.id, runs / "sims-0")
    replace(known_run, id="sims-0", collection=scores).save(folder / "report.json")
    (video,) = predict_videos(trained, [known(trained)], run="sims-0").videos
    shutil.rmtree(folder)
    assert video.utterances
    for said in video.utterances:
        assert -3 <= said.label_interval.low < -1
        assert 1 < said.label_interval.high <= 3


def test_damaged_videos_do_not_keep_others_from_being_predicted(trained, tmp_path):
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"no video")
    talk = Path(shutil.copy(known(trained), tmp_path / "talk.wav"))
    report = predict_videos(trained, [tmp_path])
    assert [(Path(video.path), len(video.utterances)) for video in report.videos] == [(talk, 1)]
    assert report.extracted == {"covarep": 0}
    broken = [(failure.item, failure.code) for failure in report.failures]
    assert (str(damaged), "not_media") in broken
    only = predict_videos(trained, [damaged])
    assert only.videos == ()
    assert [failure.code for failure in only.failures] == ["not_media"]


def test_a_run_of_one_seed(trained):
    one = replace(trained.config.training, seeds=(0,))
    project = replace(trained, config=trained.config.model_copy(update={"training": one}))
    run = project.train().id
    (video,) = predict_videos(project, [known(trained)], run=run, level=0.99).videos
    said = video.utterances[0]
    assert math.isnan(said.sd)
    assert said.seed_interval is None
    # 20 / 21 is less than 0.99
    assert said.label_interval is None


def test_errors_come_before_any_work(trained, tmp_path):
    clips = prediction_project(trained).workspace.clips
    before = clips.read_text() if clips.exists() else None
    with pytest.raises(RunError, match="no complete run 'other'"):
        predict_videos(trained, [write_talk(tmp_path / "talk.wav")], run="other")
    with pytest.raises(SourceError, match="no such folder or file"):
        predict_videos(trained, [tmp_path / "nowhere.mp4"])
    assert (clips.read_text() if clips.exists() else None) == before


def test_a_video_of_which_nothing_can_be_extracted_is_no_error(trained, tmp_path):
    silent = tmp_path / "silent.mp4"
    write_clip(path=silent, sound=None)
    silent.with_suffix(".srt").write_text(SRT)
    report = predict_videos(trained, [silent])
    assert [(video.path, video.utterances) for video in report.videos] == [(str(silent), ())]
    assert [failure.code for failure in report.failures] == ["no_features"]


INTENTS = ("Agree", "Ask for help", "Leave")


def train_classes(project, **model_config):
    """Train on what is packed already, with classes by the sign of the label for labels."""
    dataset, split = project.pack()
    numbers = torch.sign(dataset.labels) + 1
    if not model_config.get("classes"):
        numbers = (dataset.labels > 0).float()
    labels = torch.where(torch.isnan(dataset.labels), dataset.labels, numbers)
    return train_run(
        dataset=replace(dataset, labels=labels, digest=f"classes-{len(model_config)}"),
        split=split,
        model_name="mind" if "regression" in model_config else "concat",
        model_config=model_config,
        training=replace(project.config.training, seeds=(0, 1), min_batch=2),
        runs_folder=project.workspace.runs,
    )


@pytest.mark.parametrize(
    ("model_config", "names"),
    [
        ({"width": 8, "fusion_width": 8, "classes": INTENTS}, INTENTS),
        ({"width": 8, "heads": 2, "layers": 1, "regression": "logistic"}, ("0", "1")),
    ],
)
def test_classes_of_videos(trained, model_config, names):
    run = train_classes(trained, **model_config).id
    report = predict_videos(trained, [known(trained)], run=run, level=0.8)
    ((said, *_),) = (video.utterances for video in report.videos)
    assert tuple(said.class_probabilities) == names
    assert sum(said.class_probabilities.values()) == pytest.approx(1)
    assert said.predicted_class == max(names, key=said.class_probabilities.get)
    assert said.prediction == pytest.approx(max(said.class_probabilities.values()))
    assert said.prediction == pytest.approx(np.mean(said.by_seed))
    assert said.sd == pytest.approx(np.std(said.by_seed, ddof=1))
    assert 0 <= said.seed_interval.low <= said.prediction <= said.seed_interval.high <= 1
    moved = said.prediction - said.without_all
    assert sum(said.contributions.values()) == pytest.approx(moved, abs=1e-9)
    assert said.label_interval is None

    # the seeds' own outputs, by another way
    inner = prediction_project(trained)
    outputs = np.stack([class_outputs(trained, run, seed, inner, said.id) for seed in (0, 1)])
    found = list(said.class_probabilities.values())
    assert found == pytest.approx(outputs.mean(axis=0).tolist(), abs=1e-6)

    # 20 validated utterances: ceil(21 * 0.8) is the 17th smallest of 1 - p
    with (trained.workspace.runs / run / "predictions.csv").open() as stream:
        valid = [row for row in csv.DictReader(stream) if row["split"] == "valid"]
    missing = sorted(1 - probability_of_label(row) for row in valid)
    assert report.validated == len(missing) == 20
    inside = {name for name, p in said.class_probabilities.items() if 1 - p <= missing[16]}
    assert set(said.class_set) == inside | {said.predicted_class}
    assert said.class_set[0] == said.predicted_class


def class_outputs(project, run, seed, inner, name):
    checkpoint = load_checkpoint(project.workspace.runs / run / f"seed-{seed}/model.safetensors")
    dataset = checkpoint.fit(inner.pack()[0])
    with torch.no_grad():
        batch = dataset.batch(dataset.positions([name]), checkpoint.normaliser)
        output = checkpoint.model(batch)
    if "class_scores" in output.extras:
        return torch.softmax(output.extras["class_scores"][0].double(), dim=0).numpy()
    second = torch.sigmoid(output.prediction[0].double()).item()
    return np.array([1 - second, second])


def probability_of_label(row):
    if f"p({row['target']})" in row:
        return float(row[f"p({row['target']})"])
    second = np.mean([1 / (1 + math.exp(-float(row[f"seed {seed}"]))) for seed in (0, 1)])
    return second if float(row["target"]) > 0 else 1 - second


def test_a_level_that_is_none_is_refused_before_anything_is_extracted(trained):
    with pytest.raises(DataError, match="level 95 must be between 0 and 1"):
        predict_videos(trained, ["is not there.mp4"], level=95)
