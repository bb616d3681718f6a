import json
from dataclasses import replace

import pytest

from pipeline.report import RunReport
from pipeline.run_pages import findings_markdown, write_pages
from tests.pipeline.made_findings import make_findings, save_run


def test_a_run_of_an_older_version_still_has_its_pages(tmp_path):
    report = make_findings().report
    folder = save_run(make_findings(), tmp_path)
    path = folder / "report.json"
    old = json.loads(path.read_text())
    for name in ("intervals", "ensemble_intervals", "collection"):
        del old[name]
    for seed in old["seeds"]:
        for record in seed["history"]:
            del record["gradient_norms"], record["test_mae"]
    del old["training"]["selection"]
    path.write_text(json.dumps(old))
    (folder / "predictions.csv").unlink()
    write_pages(folder, RunReport.load(path))
    mae = f"{report.summary['test']['mae'].mean:.3f} ± {report.summary['test']['mae'].sd:.3f}"
    for name in ("report.html", "report.md"):
        page = (folder / name).read_text(encoding="utf-8")
        assert mae in page
        assert "No parts are kept of this run" in page


def test_markdown_tells_what_is_beside_the_report():
    findings = make_findings(dataset="CMU-MOSI")
    page = findings_markdown([findings])
    assert page.startswith(f"# Run {findings.report.id}\n")
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings[-3:] == ["## Published", "## Errors", "## Parts"]
    assert "| MInD | arXiv 2401.11818 (MInD), table 1 |" in page
    span = findings.spans[findings.test.ids[0]]
    assert f"](<{span.address.partition('#')[0]}#t=" in page


def test_several_runs_are_compared_first():
    runs = [make_findings(), make_findings(model="misa", number=1)]
    page = findings_markdown(runs)
    titles = [line for line in page.splitlines() if line.startswith("# ")]
    assert titles == ["# Comparison", *(f"# Run {run.report.id}" for run in runs)]


@pytest.mark.parametrize("spans", [True, False])
def test_without_predictions_there_are_no_errors(spans):
    findings = replace(make_findings(spans=spans), test=None)
    assert "## Errors" not in findings_markdown([findings])
