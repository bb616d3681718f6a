from dataclasses import replace

import pytest

from pipeline.errors import DataError, RunError
from pipeline.run_evaluation import evaluate_run


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
