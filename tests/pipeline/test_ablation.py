import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from sklearn.metrics import accuracy_score

from models.mind_ablations import ABLATIONS
from pipeline.ablation import PAPER_ROWS, chosen_variants, run_ablations
from pipeline.dataset import PackedDataset
from pipeline.errors import ConfigError, DataError
from pipeline.paper_tables import published_scores
from pipeline.run_folder import load_run
from pipeline.run_predictions import read_predictions
from pipeline.runs import train_run
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig

SMALL = {
    "width": 8,
    "layers": 1,
    "heads": 2,
    "statistics_width": 8,
    "decoder_width": 8,
    "fusion_width": 8,
}


def fail(*arguments):
    pytest.fail("trained again")


@pytest.fixture(scope="module")
def data(examples):
    dataset = PackedDataset.pack(examples(), digest="synthetic")
    return dataset, Split(train=dataset.ids[:20], valid=dataset.ids[20:28], test=dataset.ids[28:])


@pytest.fixture(scope="module")
def once():
    return TrainingConfig(
        max_epochs=1, batch_size=10, min_batch=4, learning_rate=0.02, device="cpu", seeds=(0,)
    )


@pytest.fixture(scope="module")
def ablate(data, once):
    def ablate(folder, **changed):
        dataset, split = data
        chosen = {"dataset": dataset, "split": split, "settings": SMALL, "training": once}
        return run_ablations(**(chosen | {"runs_folder": folder} | changed))

    return ablate


@pytest.fixture(scope="module")
def done(ablate, tmp_path_factory):
    """Full model, one modality less and no terms, with what was reported meanwhile."""
    folder, told = tmp_path_factory.mktemp("runs"), []
    result = ablate(
        folder,
        variants=("task_only", "without_text"),
        on_progress=lambda name, seed, record: told.append((name, seed, record.epoch)),
    )
    return SimpleNamespace(folder=folder, result=result, told=told)


def test_every_ablation_has_its_row_in_the_paper():
    assert set(PAPER_ROWS) == {"full", *ABLATIONS}
    assert set(PAPER_ROWS.values()) == {s.variant for s in published_scores() if s.variant}
    assert len(set(PAPER_ROWS.values())) == len(PAPER_ROWS) == 14


def test_variants_come_in_the_papers_order_after_the_full_model():
    assert chosen_variants(()) == tuple(PAPER_ROWS)
    assert chosen_variants(("task_only", "without_text")) == ("full", "without_text", "task_only")
    with pytest.raises(ConfigError, match=r"\['without_smell'\].*without_text"):
        chosen_variants(("without_smell",))


def test_variants_are_runs_that_differ_by_what_they_are_named_for(done):
    rows = {row.name: row for row in done.result.rows}
    assert list(rows) == ["full", "without_text", "task_only"]
    assert done.told == [(name, 0, 0) for name in rows]
    reports = {name: load_run(done.folder, row.run) for name, row in rows.items()}
    assert set(reports["full"].data["modalities"]) == {"text", "audio", "vision"}
    assert set(reports["without_text"].data["modalities"]) == {"audio", "vision"}
    assert reports["without_text"].model_config == reports["full"].model_config
    weights = {name: report.seeds[0].history[0].weights for name, report in reports.items()}
    assert weights["full"]["info"] > 0
    assert {term: w for term, w in weights["task_only"].items() if w} == {"task": 1.0}
    assert load_run(done.folder, "latest").id == rows["full"].run


def test_scores_are_those_of_the_runs_reports(done):
    for row in done.result.rows:
        report = load_run(done.folder, row.run)
        for metric in ("mae", "correlation", "accuracy_2_non0"):
            found, expected = row.scores[metric], report.summary["test"][metric]
            assert found.mean == pytest.approx(expected.mean, rel=1e-4)
            interval = report.intervals["test"][metric]
            assert found.interval.low == pytest.approx(interval.low, rel=1e-4)
    assert (done.result.utterances, done.result.clips) == (12, 12)


def test_differences_are_to_the_full_model(done):
    full, *others = done.result.rows
    assert full.differences == {}
    for row in others:
        found = row.differences["mae"]
        assert found.difference == pytest.approx(row.scores["mae"].mean - full.scores["mae"].mean)
        assert found.interval.low <= found.difference <= found.interval.high


def test_what_is_finished_is_not_trained_again(done, ablate):
    chosen = {"variants": ("task_only", "without_text"), "on_progress": fail}
    assert ablate(done.folder, **chosen) == done.result
    assert ablate(done.folder, on_progress=fail, variants=("full",)).rows == done.result.rows[:1]


def test_the_full_model_is_the_run_that_training_makes(done, data, once):
    dataset, split = data
    report = train_run(
        dataset=dataset,
        split=split,
        model_name="mind",
        model_config=SMALL,
        training=once,
        runs_folder=done.folder,
        on_progress=fail,
    )
    assert report.id == done.result.rows[0].run


def test_each_run_is_guarded_by_its_name(done, ablate):
    guarded = []

    class Guard:
        def __init__(self, run):
            guarded.append(run)

        def __enter__(self):
            guarded.append("in")

        def __exit__(self, *error):
            guarded.append("out")

    ablate(done.folder, variants=("task_only",), guard=Guard)
    runs = [row.run for row in done.result.rows if row.name != "without_text"]
    assert guarded == [runs[0], "in", "out", runs[1], "in", "out"]


def test_a_training_that_diverges_is_a_row(ablate, once, tmp_path):
    found = ablate(tmp_path, variants=("full",), training=replace(once, learning_rate=1e30))
    assert "lower the learning rate" in found.rows[0].failure
    assert (found.rows[0].scores, found.utterances) == ({}, 0)


@pytest.mark.parametrize(
    ("settings", "labels", "said"),
    [
        ({"regression": "logistic"}, [0.0, 1.0, 1.0], lambda predicted: predicted > 0),
        ({}, [0.0, 1.0, 1.0], lambda predicted: predicted > 0.5),
        ({"classes": ["Agree", "Ask for help", "Leave"]}, [0.0, 1.0, 2.0], lambda number: number),
    ],
)
def test_classes_are_scored_as_in_the_runs_reports(ablate, data, tmp_path, settings, labels, said):
    dataset, _ = data
    kinds = torch.bucketize(dataset.labels, torch.tensor([-0.5, 0.8]))
    found = ablate(
        tmp_path,
        dataset=replace(dataset, labels=torch.tensor(labels)[kinds], digest="classes"),
        settings=SMALL | settings,
        variants=("full",),
    )
    assert found.metrics == ("accuracy",)
    (row,) = found.rows
    report = load_run(tmp_path, row.run)
    assert row.scores["accuracy"].mean == report.summary["test"]["accuracy"].mean
    assert row.scores["accuracy"].interval == report.intervals["test"]["accuracy"]
    scored = read_predictions(
        tmp_path / row.run / "predictions.csv", on="test", classes=report.task.class_numbers
    )
    assert row.scores["accuracy"].mean == pytest.approx(
        accuracy_score(scored.target, said(scored.by_seed[0]))
    )


def test_a_modality_that_is_not_there_cannot_be_left_out(ablate, data, tmp_path):
    dataset, _ = data
    fewer = replace(dataset, modalities={"text": dataset.modalities["text"]}, digest="text")
    with pytest.raises(DataError, match=r"no vision to leave out, only \['text'\]"):
        ablate(tmp_path, dataset=fewer, on_progress=fail)
    with pytest.raises(DataError, match="nothing is left"):
        ablate(tmp_path, dataset=fewer, on_progress=fail, variants=("without_text",))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_all_of_them_train(ablate, done):
    result = ablate(done.folder)
    assert [row.name for row in result.rows] == list(PAPER_ROWS)
    assert not any(row.failure for row in result.rows)
    assert len({row.run for row in result.rows}) == 14
    values = [row.scores["mae"].mean for row in result.rows]
    assert len(set(values)) == 14, "an ablation changes nothing"
    for row in result.rows:
        config = json.loads((done.folder / row.run / "config.json").read_text())
        assert config["model"] == "mind"
