import re
from dataclasses import replace

import pytest
import torch

from pipeline.report_page import render_markdown


def table_after(page, heading):
    """Rows of the first table below a heading, as lists of cells."""
    below = page.split(f"## {heading}\n", 1)[1]
    rows = []
    for line in below.splitlines():
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            break
    return rows


@pytest.fixture
def report(run):
    return run(context={"timings": {"extract": 3.25}, "data": {"clips": 7}})


def test_the_headline_compares_the_model_with_a_constant(report):
    heading, _, *rows = table_after(render_markdown(report), "Test metrics")
    assert heading[0] == "metric"
    assert [row[0] for row in rows] == [
        *("MAE", "Corr", "Acc-2 has0", "Acc-2 non0", "F1 has0", "F1 non0"),
        *("Acc-7", "Acc-5", "Acc-3", "F1 swapped has0", "F1 swapped non0"),
    ]
    summary = report.summary["test"]["mae"]
    of_seeds, of_mean = report.intervals["test"]["mae"], report.ensemble_intervals["test"]["mae"]
    assert rows[0][1:] == [
        f"{summary.mean:.3f} ± {summary.sd:.3f}",
        f"{of_seeds.low:.3f} to {of_seeds.high:.3f}",
        f"{report.ensemble['test'].mae:.3f}",
        f"{of_mean.low:.3f} to {of_mean.high:.3f}",
        f"{report.constant['test'].mae:.3f}",
    ]
    assert rows[1][5] == "–"


def test_metrics_of_a_collection_have_a_table_and_classes_have_no_other(
    run, dataset, report, tmp_path
):
    page = render_markdown(report)
    assert "### nonzero" in page
    labels = torch.where(dataset.labels > 0, 1.0, 0.0)
    classes = run(dataset=replace(dataset, labels=labels, digest="classes"))
    page = render_markdown(classes)
    row = next(row for row in page.splitlines() if row.startswith("| Acc |"))
    accuracy = classes.summary["test"]["accuracy"]
    assert row.split(" | ")[1] == f"{accuracy.mean:.3f} ± {accuracy.sd:.3f}"
    assert not {"MAE", "Corr", "Acc-7", "F1 has0"} & {
        cell for line in page.splitlines() for cell in line.strip("| ").split(" | ")
    }
    assert "### nonzero" not in page
    assert "(figures/confusion.png)" in page
    assert (tmp_path / "runs" / classes.id / "figures" / "confusion.png").exists()


def test_a_selection_on_the_test_split_is_labelled(run, short, report):
    oracle = run(training=replace(short, selection="test_oracle"))
    page = render_markdown(oracle)
    assert oracle.id != report.id
    assert "**Selected on the test split (test_oracle)**" in page
    assert "used once" not in page
    assert "| selection | test_oracle |" in page
    assert "the test split was used once, after." in render_markdown(report)


def test_a_report_without_intervals_is_still_shown(report):
    older = replace(report, intervals={}, ensemble_intervals={})
    row = table_after(render_markdown(older), "Test metrics")[2]
    assert (row[2], row[4]) == ("–", "–")


def test_terms_stand_with_their_weights(report):
    rows = {row[0]: row for row in table_after(render_markdown(report), "Loss terms")[2:]}
    assert set(rows) == {"task", "size"}
    chosen = [seed.history[seed.best_epoch].terms["size"] for seed in report.seeds]
    assert rows["size"][1] == "0.01"
    assert float(rows["size"][3]) == pytest.approx(sum(chosen) / 2, rel=1e-2)
    assert float(rows["size"][4]) == pytest.approx(0.01 * sum(chosen) / 2, rel=1e-2)


def test_every_seed_and_split_has_a_row(report):
    rows = table_after(render_markdown(report), "Every seed")[2:]
    assert [(row[0], row[3]) for row in rows] == [
        (seed, split) for seed in "01" for split in ("train", "valid", "test")
    ]


def test_facts_times_and_figures_are_there(report):
    page = render_markdown(report)
    assert ["test", "8"] in table_after(page, "Data")
    assert "| clips | 7 |" in page
    assert "| vision | 3 |" in page
    assert ["extract", "3.2"] in table_after(page, "Time")
    assert re.findall(r"\]\((.*?)\)", page) == [
        f"figures/{name}.png" for name in ("losses", "scatter", "labels")
    ]
    assert "nan" not in page.lower()


def test_failures_are_counted_and_cannot_break_the_table(report):
    assert "## Failures\n\nNone." in render_markdown(report)
    failure = {"item": "a|b.mp4", "step": "ingest", "code": "no_streams", "detail": "two\nlines"}
    page = render_markdown(replace(report, failures=(failure,) * 60))
    assert table_after(page, "Failures")[2] == ["ingest", "no_streams", "60"]
    assert r"| a\|b.mp4 | ingest | no_streams | two lines |" in page
    assert "10 more in report.json" in page


def test_a_single_seed_shows_no_deviation(run, short):
    one = run(training=replace(short, seeds=(4,)))
    row = table_after(render_markdown(one), "Test metrics")[2]
    assert "±" not in "".join(row[1:])
