import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from pipeline.extraction import ExtractionReport
from pipeline.ingest import IngestReport
from pipeline.metrics import METRIC_NAMES
from pipeline.records import Failure, Segment
from pipeline.run_evaluation import evaluate_run
from pipeline.splits import Split
from pipeline.store import StoredFile
from pipeline.tables import (
    evaluation_table,
    extraction_lines,
    failure_table,
    ingest_table,
    result_table,
    store_table,
)


def shown(table):
    """Every row as its cells."""
    stream = io.StringIO()
    Console(file=stream, width=200).print(table)
    return [
        [cell.strip() for cell in re.split("[│┃]", line)[1:-1]]
        for line in stream.getvalue().splitlines()
        if line[:1] in {"│", "┃"}
    ]


def test_ingest_table():
    segments = tuple(
        Segment(id=str(i), clip_id="c", start=0, end=1, text="", label=label)
        for i, label in enumerate([1.0, 2.0, -1.0, None])
    )
    report = IngestReport(
        clips=(),
        transcripts=0,
        segments=segments,
        split=Split(train=("0", "1"), valid=("2",), test=()),
        failures=(Failure(item="a", step="ingest", code="x", detail="d"),),
    )
    assert shown(ingest_table(report))[1:] == [
        ["clips", "0"],
        ["transcripts", "0"],
        ["utterances", "4"],
        ["of them labelled", "3 (train 2, valid 1, test 0)"],
        ["could not be used", "1"],
    ]


def test_extraction_lines():
    report = ExtractionReport(
        extracted={"covarep": 3, "bert": 0},
        stored={"covarep": 9, "bert": 12},
        failed={"covarep": 1, "bert": 0},
        seconds={"covarep": 2.06, "bert": 0.0},
        clip_seconds=10.0,
        failures=(),
    )
    assert extraction_lines(report) == [
        "covarep: 3 extracted, 9 stored before, 1 failed (2.1 s)",
        "bert: 0 extracted, 12 stored before, 0 failed (0.0 s)",
    ]


def test_failures_are_counted_with_the_first_of_each():
    failures = [
        Failure(item="a", step="labels", code="unknown_clip", detail="first"),
        Failure(item="b", step="ingest", code="not_media", detail="odd"),
        Failure(item="c", step="labels", code="unknown_clip", detail="second"),
        Failure(item="d", step="labels", code="bad_span", detail="span"),
    ]
    assert shown(failure_table(failures))[1:] == [
        ["ingest", "not_media", "1", "odd"],
        ["labels", "bad_span", "1", "span"],
        ["labels", "unknown_clip", "2", "first"],
    ]


@pytest.mark.parametrize("detail", ["[/b] is bad", "a[red]b", "[link=x]", ":smile: it"])
def test_names_that_look_like_markup_are_shown_as_they_are(detail):
    failures = [Failure(item="a", step="ingest", code="x", detail=detail)]
    assert shown(failure_table(failures))[1][3] == detail


def test_an_evaluation_shows_seeds_intervals_and_how_epochs_were_selected(
    run, dataset, split, short, tmp_path
):
    for selection, note in (("valid", "selected on valid"), ("test_oracle", "too good")):
        report = run(training=replace(short, selection=selection))
        found = evaluate_run(
            runs_folder=tmp_path / "runs", run="latest", dataset=dataset, split=split, on="test"
        )
        table = evaluation_table(found, name="latest")
        assert str(table.title).startswith("latest on test (8 utterances), epochs selected on ")
        assert note in str(table.title)
        heading, *rows = shown(table)
        assert heading == [
            *("metric", "seed 0", "seed 1", "mean ± sd", "95 % interval"),
            *("ensemble", "95 % interval"),
        ]
        told = {row[0]: row[1:] for row in rows}
        assert list(told) == list(METRIC_NAMES)
        mae, interval = report.summary["test"]["mae"], report.intervals["test"]["mae"]
        assert told["mae"][2:4] == [
            f"{mae.mean:.3f} ± {mae.sd:.3f}",
            f"{interval.low:.3f} to {interval.high:.3f}",
        ]
        assert told["mae"][4] == f"{report.ensemble['test'].mae:.3f}"


def test_a_run_beside_the_constant(run):
    report = run()
    heading, *rows = shown(result_table(report))
    assert heading == [
        *("metric", "mean ± sd, 2 seeds", "95 % interval", "mean prediction", "constant"),
    ]
    told = {row[0]: row[1:] for row in rows}
    assert list(told) == list(METRIC_NAMES)
    summary, interval = report.summary["test"]["mae"], report.intervals["test"]["mae"]
    assert told["mae"] == [
        f"{summary.mean:.3f} ± {summary.sd:.3f}",
        f"{interval.low:.3f} to {interval.high:.3f}",
        f"{report.ensemble['test'].mae:.3f}",
        f"{report.constant['test'].mae:.3f}",
    ]
    assert "selected on valid" in str(result_table(report).title)
    oracle = replace(report, training=report.training | {"selection": "test_oracle"})
    assert "selected on test" in str(result_table(oracle).title)
    # a constant correlates with nothing
    assert told["correlation"][3] == "–"


def test_the_store_by_extractor_and_settings():
    files = [
        StoredFile("bert/1/a.safetensors", 2_000_000),
        StoredFile("bert/1/b.safetensors", 1_000_000),
        StoredFile("bert/1/extractor.json", 100),
        StoredFile("covarep/2/extractor.json", 100),
    ]
    assert shown(store_table(files))[1:] == [["bert/1", "2", "3.0"], ["covarep/2", "0", "0.0"]]
    assert shown(store_table([]))[1:] == []


def test_names_of_metrics_are_whole_in_a_narrow_terminal(run):
    stream = io.StringIO()
    Console(file=stream, width=80).print(result_table(run()))
    assert all(name in stream.getvalue() for name in METRIC_NAMES)
