import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.category_metrics import CATEGORY_NAMES
from pipeline.errors import DataError, RunError
from pipeline.run_evaluation import evaluate_run
from pipeline.tables import evaluation_table


def test_an_evaluation_repeats_the_reports_numbers(run, dataset, split, tmp_path):
    report = run()
    for on in ("train", "valid", "test"):
        found = evaluate_run(
            runs_folder=tmp_path / "runs", run=report.id, dataset=dataset, split=split, on=on
        )
        assert (found.run, found.on, found.selection) == (report.id, on, "valid")
        assert set(found.metrics) == {"seed 0", "seed 1", "ensemble"}
        assert found.metrics["ensemble"] == report.ensemble[on]
        assert found.metrics["seed 1"] == report.seeds[1].metrics[on]
        assert found.summary["mae"] == report.summary[on]["mae"]
    assert found.intervals == report.intervals["test"]
    assert found.ensemble_intervals == report.ensemble_intervals["test"]


def test_classes_are_scored_by_name_and_together_by_probability(
    run, dataset, split, short, tmp_path
):
    numbers = torch.sign(dataset.labels) + 1
    data = replace(dataset, labels=numbers, digest="classes")
    report = run(
        dataset=data,
        model_name="concat",
        model_config={"width": 4, "fusion_width": 4, "classes": ("bad", "even", "good")},
        training=replace(short, seeds=(0, 1, 2), max_epochs=2),
    )
    runs = tmp_path / "runs"
    found = evaluate_run(runs_folder=runs, run=report.id, dataset=data, split=split, on="train")
    assert set(found.summary) == set(found.intervals) == set(CATEGORY_NAMES)
    assert found.metrics["ensemble"] == report.ensemble["train"]
    with (runs / report.id / "predictions.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "train"]
    names = ("bad", "even", "good")
    most = [max(names, key=lambda name: float(row[f"p({name})"])) for row in rows]
    assert [row["together"] for row in rows] == most
    share = np.mean([row["target"] == said for row, said in zip(rows, most, strict=True)])
    assert found.metrics["ensemble"].accuracy == pytest.approx(share)
    of_0 = np.mean([row["target"] == row["seed 0"] for row in rows])
    assert found.metrics["seed 0"].accuracy == pytest.approx(of_0)
    commonest = max(names, key=[row["target"] for row in rows].count)
    chance = np.mean([row["target"] == commonest for row in rows])
    assert report.constant["train"].accuracy == pytest.approx(chance)
    assert evaluation_table(found, name="classes").columns[0]._cells == list(CATEGORY_NAMES)


def test_a_selection_on_test_is_told(run, short, dataset, split, tmp_path):
    run(training=replace(short, selection="test_oracle"))
    found = evaluate_run(
        runs_folder=tmp_path / "runs", run="latest", dataset=dataset, split=split, on="test"
    )
    assert found.selection == "test_oracle"


def test_what_is_not_there_is_refused(run, dataset, split, tmp_path):
    run()
    wanted = {"runs_folder": tmp_path / "runs", "dataset": dataset, "split": split}
    with pytest.raises(DataError, match="unknown split 'dev'"):
        evaluate_run(run="latest", on="dev", **wanted)
    with pytest.raises(RunError, match="no complete run 'none'"):
        evaluate_run(run="none", on="test", **wanted)
