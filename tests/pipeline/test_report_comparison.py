from dataclasses import replace

import numpy as np
import pytest

from pipeline.category_metrics import CATEGORY_NAMES
from pipeline.report_comparison import comparison_section, differences
from pipeline.run_predictions import Scored
from tests.pipeline.made_findings import make_findings


@pytest.fixture
def runs():
    return [
        make_findings(dataset="CMU-MOSI"),
        make_findings(model="misa", noise=1.5, number=1, dataset="CMU-MOSI"),
    ]


def test_runs_stand_side_by_side(runs):
    section = comparison_section(runs)
    tables = {table.caption: table for table in section.tables}
    first, second = (run.report for run in runs)
    assert list(tables) == [
        *("Runs", "Test metrics, side by side"),
        f"Difference to {first.id}, 95 % interval and p",
        "Published on CMU-MOSI",
    ]
    assert [row[0] for row in tables["Runs"].rows] == [first.id, second.id]
    scores = tables["Test metrics, side by side"]
    assert scores.heading == (
        *("metric", "mind 000000000000, mean ± sd", "95 % interval", "published, CMU-MOSI"),
        *("misa 000000000001, mean ± sd", "95 % interval", "published, CMU-MOSI"),
    )
    mae = next(row for row in scores.rows if row[0] == "MAE")
    for report, cell in ((first, mae[1]), (second, mae[4])):
        assert cell.startswith(f"{report.summary['test']['mae'].mean:.3f} ± ")
    assert (mae[3], mae[6]) == ("0.711", "0.783 / 0.7765")
    assert "same data" in section.text
    assert [row[1][:8] for row in tables["Published on CMU-MOSI"].rows[:2]] == ["this run"] * 2


def test_differences_are_second_minus_first(runs):
    found = differences(runs[1], runs[0])
    first, second = (run.report.summary["test"]["mae"].mean for run in runs)
    assert found["mae"].difference == pytest.approx(second - first)
    assert found["mae"].interval.low > 0
    assert found["mae"].p_value < 0.01


def test_the_order_of_utterances_does_not_matter(runs):
    test = runs[1].test
    turned = Scored(ids=test.ids[::-1], target=test.target[::-1], by_seed=test.by_seed[:, ::-1])
    assert differences(replace(runs[1], test=turned), runs[0]) == differences(runs[1], runs[0])


def test_runs_on_other_utterances_have_no_difference(runs):
    fewer = make_findings(n=27, number=2)
    assert differences(fewer, runs[0]) == {}
    assert differences(replace(runs[1], test=None), runs[0]) == {}
    relabelled = runs[1].test._replace(target=runs[1].test.target + 0.1)
    assert differences(replace(runs[1], test=relabelled), runs[0]) == {}
    captions = [table.caption for table in comparison_section([runs[0], fewer]).tables]
    assert not any(caption.startswith("Difference") for caption in captions)


def test_other_data_are_called_so(runs):
    other = replace(runs[1], report=replace(runs[1].report, data_digest="another"))
    assert "2 different data sets" in comparison_section([runs[0], other]).text


def test_a_selection_on_test_is_labelled(runs):
    oracle = replace(runs[1], report=replace(runs[1].report, training={"selection": "test_oracle"}))
    table = comparison_section([runs[0], oracle]).tables[0]
    assert [row[4] for row in table.rows] == [
        "epochs selected on valid",
        "epochs selected on test, as in the authors' code: too good",
    ]


def test_classes_are_compared_by_their_own_metrics(runs):
    target, classes = np.arange(30) % 3, ("joke", "thank", "ask")
    first = make_findings(target=target, classes=classes, noise=0.3)
    second = make_findings(target=target, classes=classes, noise=1.5, number=1)
    found = differences(second, first)
    assert set(found) == set(CATEGORY_NAMES)
    shares = [(run.test.by_seed == target).mean() for run in (first, second)]
    assert found["accuracy"].difference == pytest.approx(shares[1] - shares[0])
    other = make_findings(target=target, classes=("joke", "thank", "leave"), number=2)
    assert differences(other, first) == {}
    # beside a run of scores each has its own rows
    table = comparison_section([first, runs[1]]).tables[1]
    cells = {row[0]: row[1:] for row in table.rows}
    assert (cells["Acc"][0][:5], cells["Acc"][2]) == (f"{shares[0]:.3f}", "–")
    assert cells["MAE"][0] == "–" != cells["MAE"][2]
