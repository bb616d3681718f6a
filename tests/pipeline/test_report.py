import json
import math
from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import RunError, StoreError
from pipeline.metrics import METRIC_NAMES, sentiment_metrics
from pipeline.report import RunReport, SeedReport, summarise


def seed_report(seed, predictions, history=()):
    return SeedReport(
        seed=seed,
        best_epoch=0,
        history=history,
        metrics={"test": sentiment_metrics(prediction=predictions, target=[-2.0, 1.0, 2.5])},
    )


def test_the_summary_is_mean_and_sample_deviation():
    seeds = (
        seed_report(0, [-1.0, 1.0, 2.0]),
        seed_report(1, [0.5, 1.0, 2.0]),
        seed_report(2, [-3.0, -1.0, 1.0]),
    )
    found = summarise(seeds)["test"]
    assert set(found) == set(METRIC_NAMES)
    for name, summary in found.items():
        values = [getattr(seed.metrics["test"], name) for seed in seeds]
        assert summary.mean == pytest.approx(np.mean(values))
        assert summary.sd == pytest.approx(np.std(values, ddof=1))


def test_one_seed_has_no_deviation_and_a_constant_one_no_correlation():
    one = summarise((seed_report(0, [-1.0, 1.0, 2.0]),))["test"]
    assert math.isfinite(one["mae"].mean)
    assert math.isnan(one["mae"].sd)
    two = summarise((seed_report(0, [-1.0, 1.0, 2.0]), seed_report(1, [1.0, 1.0, 1.0])))["test"]
    assert math.isnan(two["correlation"].mean)
    assert math.isfinite(two["mae"].sd)


def test_a_report_comes_back_and_is_strict_json(run, tmp_path):
    report = run()
    path = tmp_path / "runs" / report.id / "report.json"
    text = path.read_text()
    stored = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert stored["constant"]["test"]["correlation"] is None
    back = RunReport.load(path)
    assert math.isnan(back.constant["test"].correlation)
    back.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == text
    assert back.seeds == report.seeds
    assert back.summary == report.summary
    assert back.ensemble == report.ensemble
    assert back.intervals == report.intervals
    assert back.collection == report.collection
    assert set(back.collection) == {"nonzero"}
    assert set(back.intervals["test"]) == set(METRIC_NAMES)
    assert back.intervals["test"]["mae"] != back.ensemble_intervals["test"]["mae"]


def test_a_damaged_report_is_named(run, tmp_path):
    report = run()
    path = tmp_path / "runs" / report.id / "report.json"
    for text in ("", "{}", path.read_text()[:-20]):
        path.write_text(text)
        with pytest.raises(StoreError, match=str(path)):
            RunReport.load(path)


@pytest.mark.parametrize("group", ["classes", "two_classes"])
def test_a_run_whose_classes_an_earlier_version_scored_is_refused(run, tmp_path, group):
    report = run()
    path = tmp_path / "runs" / report.id / "report.json"
    replace(report, collection={group: report.collection["nonzero"]}).save(path)
    told = f"run {report.id}: .* earlier version; delete {path.parent} .*--fresh"
    with pytest.raises(RunError, match=told):
        RunReport.load(path)
    # nor is it taken for complete
    with pytest.raises(RunError, match=told):
        run()
