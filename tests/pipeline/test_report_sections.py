from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from pipeline.part_analysis import PartAnalysis
from pipeline.report_blocks import Link
from pipeline.report_sections import (
    LARGEST_ERRORS,
    error_order,
    largest_errors,
    parts_section,
    predictions_section,
    run_sections,
    scores_section,
)
from tests.pipeline.made_findings import make_findings


def captions(section):
    return [table.caption for table in section.tables]


def test_the_sections_of_a_run():
    titles = [section.title for section in run_sections(make_findings())]
    assert titles == [
        *("Test metrics", "Training", "Predictions", "Parts", "Data", "Failures"),
        "Time and settings",
    ]


def test_published_figures_stand_beside_ours():
    section = scores_section(make_findings(dataset="CMU-MOSI"))
    assert captions(section)[-2:] == ["Published on CMU-MOSI", "Every seed"]
    headline = section.tables[0]
    assert headline.heading[-1] == "published"
    rows = {row[0]: row for row in headline.rows}
    assert rows["MAE"][-1] == "0.711 (arXiv 2401.11818 (MInD), table 1)"
    assert rows["Acc-5"][-1] == ""
    assert section.text == ""


def test_without_published_figures_there_is_no_column_but_a_word():
    unknown = scores_section(make_findings())
    assert "published" not in unknown.tables[0].heading
    assert "`--paper` names one" in unknown.text
    nothing = scores_section(make_findings(model="concat", dataset="CMU-MOSI"))
    assert "published" not in nothing.tables[0].heading
    assert "No published figures of `concat` on CMU-MOSI" in nothing.text
    assert "Published on CMU-MOSI" in captions(nothing)


def test_figures_of_a_collection_stand_in_its_table():
    target = np.random.default_rng(1).integers(-5, 6, 30) / 5
    section = scores_section(make_findings(model="self_mm", dataset="CH-SIMS", target=target))
    assert "published" not in section.tables[0].heading
    sims = next(table for table in section.tables if table.caption == "sims")
    rows = {row[0]: row for row in sims.rows}
    assert rows["MAE"][-1].endswith("(github.com/thuiar/MMSA, results/result-stat.md)")


def test_the_largest_errors_come_first_and_lead_to_their_clips():
    findings = make_findings()
    error = findings.together - findings.test.target
    order = sorted(range(30), key=lambda row: -abs(error[row]))[:LARGEST_ERRORS]
    assert error_order(findings) == order
    table = largest_errors(findings)
    assert len(table.rows) == LARGEST_ERRORS
    link, time, text, label, prediction, off, sd = table.rows[0]
    span = findings.spans[findings.test.ids[order[0]]]
    assert link == Link(text=span.clip.rpartition("/")[2], address=span.address)
    assert time == f"{span.start:.1f} to {span.end:.1f} s"
    assert text == span.text
    assert [float(x) for x in (label, prediction, off)] == pytest.approx(
        [findings.test.target[order[0]], findings.together[order[0]], error[order[0]]], abs=5e-3
    )
    assert float(sd) == pytest.approx(findings.test.by_seed[:, order[0]].std(ddof=1), abs=5e-3)


def test_utterances_of_no_clip_are_named_by_their_ids():
    findings = make_findings(spans=False)
    table = largest_errors(findings)
    assert table.rows[0][:3] == (findings.test.ids[error_order(findings)[0]], "–", "–")
    assert "only ids" in table.note


def test_two_classes_have_a_confusion_and_nothing_else():
    target = np.arange(30) % 3 == 0
    section = predictions_section(make_findings(target=target, noise=0.1))
    (panel,) = section.panels
    assert panel.caption == "Confusion"
    assert panel.data[0]["text"] == [["20", "0"], ["0", "10"]]


def test_wrong_classes_are_named():
    classes = ("joke", "thank", "ask")
    findings = make_findings(target=np.arange(30) % 3, noise=0.9, classes=classes)
    test = findings.test
    said = test.probabilities.argmax(axis=1)
    assert findings.together.tolist() == said.tolist()
    table = largest_errors(findings)
    wrong = np.flatnonzero(said != test.target)
    assert 5 < len(wrong) == len(table.rows) < 20
    likely = np.array([test.probabilities[row, int(test.target[row])] for row in wrong])
    # that of which the labelled class is the least probable comes first
    first = wrong[likely.argmin()]
    assert table.rows[0][2] == findings.spans[test.ids[first]].text
    assert table.rows[0][3:] == (
        classes[int(test.target[first])],
        f"{likely.min():.3f}",
        classes[said[first]],
        f"{test.probabilities[first].max():.3f}",
        f"{100 * (test.by_seed[:, first] != test.target[first]).mean():.0f} %",
    )
    (panel,) = predictions_section(findings).panels
    counts = confusion_matrix(test.target, said)
    assert panel.data[0]["text"] == [[str(n) for n in row] for row in counts]
    assert panel.data[0]["x"] == panel.data[0]["y"] == list(classes)


def test_scores_of_classes_are_those_of_classes_alone():
    findings = make_findings(
        model="misa",
        dataset="MIntRec",
        target=np.arange(30) % 3,
        classes=("joke", "thank", "ask"),
    )
    section = scores_section(findings)
    names = ["Acc", "F1", "F1 weighted", "precision", "recall"]
    headline, *others = section.tables
    assert [row[0] for row in headline.rows] == names
    assert headline.heading[3] == "mean of the seeds' probabilities"
    published = {row[0]: row[-1] for row in headline.rows}
    assert published["Acc"] == "0.7229 (arXiv 2401.11818 (MInD), table 3)"
    assert published["F1 weighted"] == ""
    assert [table.caption for table in others] == ["Published on MIntRec", "Every seed"]
    assert others[-1].heading[-5:] == tuple(names)


def test_a_run_without_predictions_says_so():
    findings = replace(make_findings(), test=None)
    section = predictions_section(findings)
    assert (section.panels, section.tables) == ((), ())
    assert "holds no predictions" in section.text
    assert error_order(findings) == []
    assert findings.together.shape == (0,)


def test_why_there_are_no_parts():
    findings = make_findings()
    assert "takes clips apart into none" in parts_section(findings).text
    kept = parts_section(replace(findings, parts_kept=True))
    assert f"`winnow report {findings.report.id}` does it" in kept.text


def test_numbers_of_the_parts():
    analysis = PartAnalysis(
        digest="",
        utterances=8,
        mapped=8,
        seed=0,
        maps={"after": {"text": {"S": [(0.0, 1.0)] * 8, "P": [(1.0, 0.0)] * 8}}},
        silhouettes={"after": {"text": 0.123}},
        part_accuracy={"after": {"text": 0.875}},
        label_scores={"S": {"text": 0.5, "all": 0.625}, "P": {"text": -0.25, "all": 0.0}},
        label_chance=None,
        modality_accuracy={"S": 0.333},
        modalities=3,
    )
    section = parts_section(replace(make_findings(), parts=analysis, parts_kept=True))
    separation, probes = section.tables
    assert separation.rows == (("after training", "text", "0.123", "0.875"),)
    assert probes.rows == (("S", "0.500", "0.625", "0.333"), ("P", "-0.250", "0.000", ""))
    assert section.panels[0].caption == "text, after training"
    few = replace(analysis, maps={}, label_scores={}, silhouettes={}, modality_accuracy={})
    section = parts_section(replace(make_findings(), parts=few, parts_kept=True))
    assert "No maps" in section.text
    assert "No probes" in section.text
    assert section.panels == ()
