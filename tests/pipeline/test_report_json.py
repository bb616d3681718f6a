import json

import pytest

from pipeline.report_json import findings_json
from tests.pipeline.made_findings import make_findings


def test_a_document_holds_everything():
    runs = [
        make_findings(dataset="CMU-MOSI"),
        make_findings(model="misa", noise=1.0, number=1, spans=False),
    ]
    text = findings_json(runs)
    first, second = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert first["report"]["id"] == runs[0].report.id
    assert (
        first["report"]["summary"]["test"]["mae"]["mean"]
        == runs[0].report.summary["test"]["mae"].mean
    )
    assert {row["metric"]: row["text"] for row in first["published"]}["MAE"] == "0.711"
    worst = first["largest_errors"][0]
    assert worst["error"] == pytest.approx(worst["prediction"] - worst["label"])
    assert worst["source"]["clip"].startswith("/videos/clip")
    assert (second["dataset"], second["published"], second["parts"]) == (None, [], None)
    assert second["largest_errors"][0]["source"] is None
    assert first["difference_to_first"] == {}
    assert second["difference_to_first"]["mae"]["difference"] > 0
