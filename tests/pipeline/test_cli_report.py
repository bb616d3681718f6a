import json
import shutil

import pytest

from pipeline.cli import app
from pipeline.errors import ConfigError, RunError
from tests.pipeline.made_findings import make_findings, save_run


@pytest.fixture
def runs(tmp_path):
    """Two runs in a workspace, the second the latest."""
    found = [make_findings(), make_findings(model="misa", number=1)]
    for findings in found:
        save_run(findings, tmp_path / "runs")
    return [findings.report for findings in found]


@pytest.fixture
def report(runs, tmp_path, capsys):
    def ask(*tokens):
        app(
            ["report", *map(str, tokens), "--workspace", str(tmp_path)],
            result_action="return_value",
            exit_on_error=False,
        )
        return capsys.readouterr().out

    return ask


def test_the_latest_run_has_its_page_in_its_folder(runs, report, tmp_path):
    page = tmp_path / "runs" / runs[1].id / "report.html"
    told = report()
    assert told.strip().endswith(f"report: {page}")
    assert f"Run {runs[1].id}" in page.read_text(encoding="utf-8")


def test_the_format_is_named_or_told_by_the_file(runs, report, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    report(runs[0].id, "--output", tmp_path / "one.md")
    assert (tmp_path / "one.md").read_text(encoding="utf-8").startswith(f"# Run {runs[0].id}")
    report(runs[0].id, "-o", folder, "--format", "markdown")
    assert (folder / "report.md").read_text() == (tmp_path / "one.md").read_text()
    report(runs[0].id, "latest", runs[0].id, "--format", "json")
    document = json.loads((tmp_path / "runs" / "comparison.json").read_text())
    assert [one["report"]["id"] for one in document] == [run.id for run in runs]
    report("--format", "json")
    assert json.loads((tmp_path / "runs" / runs[1].id / "report-full.json").read_text())
    assert json.loads((tmp_path / "runs" / runs[1].id / "report.json").read_text())["id"]


def test_runs_are_compared(runs, report, tmp_path):
    told = report(runs[0].id, runs[1].id, "-o", tmp_path / "new")
    page = (tmp_path / "new" / "comparison.html").read_text(encoding="utf-8")
    assert "2 runs side by side" in page
    assert f"Difference to {runs[0].id}" in page
    assert told.count("on the test split (30 utterances)") == 2


def test_a_paper_is_named(runs, report, tmp_path):
    report("--paper", "mosi", "-o", tmp_path / "one.md")
    assert "Published on CMU-MOSI" in (tmp_path / "one.md").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="no published figures of a data set 'mine'"):
        report("--paper", "mine")


def test_what_cannot_be_done_is_told(report, tmp_path):
    with pytest.raises(RunError, match="no complete run 'abc'"):
        report("abc")
    with pytest.raises(ConfigError, match=r"--format json, but .*x\.html would be html"):
        report("-o", tmp_path / "x.html", "--format", "json")
    shutil.rmtree(tmp_path / "runs")
    with pytest.raises(RunError, match="no complete run 'latest'"):
        report()
