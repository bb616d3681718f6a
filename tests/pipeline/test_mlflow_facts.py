import json
import shutil
from datetime import UTC, datetime

import pytest

from pipeline.mlflow_facts import LONGEST_VALUE, artifacts, metrics, milliseconds, parameters
from pipeline.run_folder import load_run


@pytest.fixture
def report(finished_runs):
    """The latest has one seed, the other one two."""
    latest = load_run(finished_runs).id
    (name,) = {path.parent.name for path in finished_runs.glob("*/report.json")} - {latest}
    return load_run(finished_runs, name)


def test_parameters_are_all_settings(report):
    found = parameters(report)
    assert found["model.name"] == "concat"
    assert found["model.width"] == "4"
    assert found["training.batch_size"] == "8"
    assert json.loads(found["training.seeds"]) == [0, 1]
    assert found["data.utterances.train"] == "24"
    assert found["data.digest"] == "synthetic"
    assert len(found["data.note"]) == LONGEST_VALUE


def test_metrics_are_epochs_results_and_times(report):
    points = metrics(report)
    found = {(point.key, point.step): point.value for point in points}
    assert len(found) == len(points)
    for seed in report.seeds:
        for record in seed.history:
            name = f"seed_{seed.seed}"
            assert found[f"{name}/valid_mae", record.epoch] == record.valid_mae
            assert found[f"{name}/terms/task", record.epoch] == record.terms["task"]
    summary, interval = report.summary["test"]["mae"], report.intervals["test"]["mae"]
    assert found["test/mae/mean", 0] == summary.mean
    assert found["test/mae/sd", 0] == summary.sd
    assert (found["test/mae/low", 0], found["test/mae/high", 0]) == (interval.low, interval.high)
    assert found["test/mae/ensemble", 0] == report.ensemble["test"].mae
    assert found["test/mae/ensemble_low", 0] == report.ensemble_intervals["test"]["mae"].low
    assert found["valid/mae/constant", 0] == report.constant["valid"].mae
    assert found["seconds/pack", 0] == 0.5
    # the correlation of a constant is not defined
    assert ("test/correlation/constant", 0) not in found


def test_artifacts_are_what_is_finished(finished_runs, report, tmp_path):
    folder = tmp_path / "runs" / report.id
    shutil.copytree(finished_runs / report.id, folder)
    for name in ("seed-0/state.safetensors", ".report.part", "seed-1/.hidden/report.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    found = {path.relative_to(folder).as_posix() for path in artifacts(folder, weights=True)}
    assert {"report.html", "report.md", "report.json", "predictions.csv"} <= found
    assert {"figures/losses.png", "seed-0/result.json", "seed-1/model.safetensors"} <= found
    assert not any("state" in name or "/." in name or name.startswith(".") for name in found)
    without = {path.relative_to(folder).as_posix() for path in artifacts(folder, weights=False)}
    assert without == {name for name in found if not name.endswith(".safetensors")}


def test_milliseconds():
    assert milliseconds("1970-01-01T00:00:01.5+00:00") == 1500
    now = datetime.now(UTC)
    assert milliseconds(now.isoformat()) == pytest.approx(1000 * now.timestamp(), abs=1)
