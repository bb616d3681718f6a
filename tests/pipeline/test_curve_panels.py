from dataclasses import replace

import pytest
from plotly.graph_objects import Figure

from pipeline.curve_panels import comparison_panel, curve_panels
from tests.pipeline.made_findings import EPOCHS, make_findings, make_history


@pytest.fixture
def report():
    return make_findings().report


def test_every_term_and_every_seed_has_a_curve(report):
    panels = {panel.caption: panel for panel in curve_panels(report)}
    assert list(panels) == [
        *("Validation error", "Term task, weight 1", "Term size, weight 0.01"),
        *("Gradient norm, all terms", "Gradient norm by term"),
    ]
    task = panels["Term task, weight 1"]
    assert [trace["name"] for trace in task.data] == ["seed 0", "seed 1"]
    for seed, trace in zip(report.seeds, task.data, strict=True):
        assert trace["x"] == list(range(EPOCHS))
        assert trace["y"] == pytest.approx([r.terms["task"] for r in seed.history], rel=1e-5)
    norms = panels["Gradient norm, all terms"]
    assert [trace["y"][0] for trace in norms.data] == [2.0, 3.0]
    for panel in panels.values():
        Figure(data=panel.data, layout=panel.layout)
        assert panel.description


def test_selected_epochs_are_marked(report):
    seeds = tuple(
        replace(seed, best_epoch=epoch) for seed, epoch in zip(report.seeds, (1, 3), strict=True)
    )
    (panel, *_) = curve_panels(replace(report, seeds=seeds))
    marks = [trace for trace in panel.data if trace["mode"] == "markers"]
    assert [mark["x"] for mark in marks] == [[1], [3]]
    assert [mark["y"][0] for mark in marks] == pytest.approx(
        [seed.history[e].valid_mae for seed, e in zip(seeds, (1, 3), strict=True)]
    )
    assert "1.21 to 1.4" in panel.description


def test_norms_of_terms_are_those_of_the_epochs_where_they_were_measured(report):
    panel = curve_panels(report)[-1]
    by_name = {trace["name"]: trace for trace in panel.data}
    assert by_name["task"]["x"] == [0, 2]
    assert by_name["task"]["y"] == pytest.approx([0.3, 0.3])
    assert by_name["size"]["y"] == [None, None]
    old = tuple(
        replace(s, history=tuple(replace(r, gradient_norms={}) for r in s.history))
        for s in report.seeds
    )
    captions = [panel.caption for panel in curve_panels(replace(report, seeds=old))]
    assert "Gradient norm by term" not in captions


def test_an_error_that_selected_the_epoch_is_named(report):
    seeds = tuple(replace(s, history=make_history(s.seed, test_mae=True)) for s in report.seeds)
    captions = [panel.caption for panel in curve_panels(replace(report, seeds=seeds))]
    assert captions[1] == "Test error, which selected the epoch"


def test_runs_are_drawn_as_means_over_seeds(report):
    panel = comparison_panel([("one", report), ("two", report)])
    assert [trace["name"] for trace in panel.data] == ["one", "two"]
    wanted = [1.5 - 0.1 * epoch + 0.005 for epoch in range(EPOCHS)]
    assert panel.data[0]["y"] == pytest.approx(wanted)
