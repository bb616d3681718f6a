import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from pipeline.dataset import PackedDataset
from pipeline.errors import DataError, RunError
from pipeline.run_comparison import compare_runs
from pipeline.run_folder import load_run
from pipeline.run_predictions import read_predictions
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig


@pytest.fixture
def runs_folder(finished_runs, tmp_path):
    shutil.copytree(finished_runs, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def names(runs_folder):
    """The run of two seeds, then that of one."""
    latest = load_run(runs_folder).id
    (other,) = {path.parent.name for path in runs_folder.glob("*/report.json")} - {latest}
    return other, latest


@pytest.fixture
def compare(runs_folder, names, dataset, split):
    def compare(**changed):
        arguments = {
            "runs_folder": runs_folder, "candidate": names[0], "champion": names[1],
            "dataset": dataset, "split": split, "metric": "mae", "confidence": 0.95,
            "device": "cpu",
        }  # fmt: skip
        return compare_runs(**(arguments | changed))

    return compare


def test_the_values_are_those_of_the_reports(compare, runs_folder, names):
    found = compare()
    one, two = (load_run(runs_folder, name).ensemble["test"] for name in names)
    assert found.candidate == pytest.approx(one.mae, abs=1e-6)
    assert found.champion == pytest.approx(two.mae, abs=1e-6)
    assert found.improvement == pytest.approx(two.mae - one.mae, abs=1e-6)
    assert (found.utterances, found.clips) == (8, 8)
    assert compare() == found


def test_the_interval_is_the_bootstrap_of_the_paired_errors(compare, runs_folder, names):
    """Every utterance is a clip of its own here, so that a mean of drawn differences is it."""
    scored = [read_predictions(runs_folder / name / "predictions.csv", on="test") for name in names]
    one, two = (np.abs(s.by_seed.mean(axis=0) - s.target) for s in scored)
    drawn = np.random.default_rng(1).integers(8, size=(200_000, 8))
    low, high = np.quantile((two - one)[drawn].mean(axis=1), [0.05, 0.95])
    found = compare(confidence=0.9)
    width = high - low
    assert found.interval.low == pytest.approx(low, abs=0.06 * width)
    assert found.interval.high == pytest.approx(high, abs=0.06 * width)
    assert found.better == (found.interval.low > 0)


def test_better_is_more_correlation_and_less_error(compare, names):
    turned = {"candidate": names[1], "champion": names[0]}
    for metric in ("mae", "correlation"):
        one, other = compare(metric=metric), compare(metric=metric, **turned)
        sign = -1 if metric == "mae" else 1
        assert one.improvement == pytest.approx(sign * (one.candidate - one.champion))
        assert other.improvement == pytest.approx(-one.improvement)
        assert other.interval.low == pytest.approx(-one.interval.high)


def test_a_run_is_no_better_than_itself(compare, names):
    found = compare(champion=names[0])
    assert (found.improvement, found.interval.low, found.interval.high) == (0, 0, 0)
    assert not found.better


def test_a_champion_that_cannot_read_the_features(compare, runs_folder, names, examples, dataset):
    first = compare()
    (runs_folder / names[1] / "seed-0" / "model.safetensors").write_bytes(b"of another version")
    found = compare()
    assert found.champion_from == "its stored predictions"
    assert found.champion == pytest.approx(first.champion, abs=1e-5)
    # a label that was put right counts for both
    labels = dataset.labels.clone()
    labels[-1] += 1
    corrected = PackedDataset(
        modalities=dataset.modalities, labels=labels, ids=dataset.ids, digest="corrected"
    )
    assert compare(dataset=corrected).champion != found.champion


def test_nothing_in_common(compare, runs_folder, names, dataset):
    (runs_folder / names[1] / "seed-0" / "model.safetensors").unlink()
    split = Split(train=dataset.ids[8:], valid=(), test=dataset.ids[:8])
    with pytest.raises(DataError, match=r"has predicted none of 8 test utterances.*--force"):
        compare(split=split)


def test_one_clip_tells_nothing(compare, dataset):
    found = compare(split=Split(train=(), valid=(), test=dataset.ids[-1:]))
    assert math.isnan(found.interval.low)
    assert not found.better


def test_unlabelled_test_utterances_do_not_count(compare, dataset):
    labels = dataset.labels.clone()
    labels[-3:] = torch.nan
    fewer = PackedDataset(
        modalities=dataset.modalities, labels=labels, ids=dataset.ids, digest="fewer"
    )
    assert compare(dataset=fewer).utterances == 5


def test_unknown_runs(compare):
    with pytest.raises(RunError, match="no complete run 'other'"):
        compare(candidate="other")


@pytest.mark.parametrize(
    ("model", "settings", "labels"),
    [
        ("concat", {"classes": ["Agree", "Ask for help", "Leave"]}, [0.0, 1.0, 2.0]),
        ("concat", {}, [0.0, 1.0, 1.0]),
        ("lf_dnn", {"regression": "logistic"}, [0.0, 1.0, 1.0]),
    ],
)
def test_classes_are_compared_by_the_accuracy_of_the_reports(
    run, compare, dataset, tmp_path, model, settings, labels
):
    kinds = torch.bucketize(dataset.labels, torch.tensor([-0.5, 0.8]))
    classes = replace(dataset, labels=torch.tensor(labels)[kinds], digest="classes")
    config = {"width": 4, "fusion_width": 4} if model == "concat" else {}
    changed = {"dataset": classes, "model_name": model, "model_config": config | settings}
    rates = (TrainingConfig(max_epochs=n, min_batch=4, device="cpu", seeds=(0, 1)) for n in (1, 2))
    one, other = (run(training=training, **changed) for training in rates)
    between = {
        "runs_folder": tmp_path / "runs", "dataset": classes, "candidate": one.id,
        "champion": other.id,
    }  # fmt: skip
    found = compare(**between)
    told = [report.ensemble["test"].accuracy for report in (one, other)]
    assert found.metric == "accuracy"
    assert [found.candidate, found.champion] == pytest.approx(told)
    (tmp_path / "runs" / other.id / "seed-0" / "model.safetensors").write_bytes(b"damaged")
    stored = compare(**between)
    assert stored.champion_from == "its stored predictions"
    assert (stored.champion, stored.interval) == (found.champion, found.interval)


def test_runs_that_predict_something_else_are_not_compared(compare, runs_folder, names):
    report = load_run(runs_folder, names[1])
    before = compare()
    replace(report, classes=("0", "1")).save(runs_folder / report.id / "report.json")
    # labels that were 0 and 1 then, and are not today: scores all the same
    assert compare() == before
    config = report.model_config | {"regression": "logistic"}
    replace(report, classes=("0", "1"), model_config=config).save(
        runs_folder / report.id / "report.json"
    )
    told = rf"{names[0]}' predicts scores, champion '{names[1]}' the classes 0, 1: .*--force"
    with pytest.raises(DataError, match=told):
        compare()


def test_how_many_clips_a_verdict_needs(compare):
    """As many as a sign test that can reach the level: 6 of 6 have a one-sided p of 0.016."""
    found = compare()
    for confidence in (0.9, 0.95, 0.99):
        for clips in range(1, 12):
            tossed = binomtest(clips, clips, alternative="greater").pvalue
            told = replace(found, clips=clips, confidence=confidence).enough_clips
            assert told == (tossed <= (1 - confidence) / 2)
