import json
import math

import pytest

from pipeline.ablation import PAPER_ROWS, AblationResult, AblationRow
from pipeline.ablation_page import ablation_json, ablation_markdown
from pipeline.bootstrap import Difference, Interval
from pipeline.score_summary import SeedScores


def scores(mean, sd=0.01):
    return SeedScores(mean=mean, sd=sd, interval=Interval(low=mean - 0.1, high=mean + 0.1))


def row(name, mae, **changed):
    values = {
        "name": name,
        "run": f"mind-{name}",
        "scores": {
            "mae": scores(mae),
            "correlation": scores(math.nan, math.nan),
            "accuracy_2_non0": scores(0.8),
        },
        "differences": {
            "mae": Difference(
                difference=mae - 0.7, interval=Interval(low=0.01, high=0.2), p_value=0.03
            )
        },
    }
    return AblationRow(**(values | changed))


@pytest.fixture
def result():
    rows = [row(name, 0.7 + number / 100) for number, name in enumerate(PAPER_ROWS)]
    rows[0] = row("full", 0.7, differences={})
    rows[3] = row("without_text", 0.0, scores={}, differences={}, failure="the loss is nan")
    return AblationResult(
        rows=tuple(rows),
        metrics=("mae", "correlation", "accuracy_2_non0"),
        seeds=(0, 1, 2, 3, 4),
        selection="valid",
        utterances=686,
        clips=31,
    )


def cells(page):
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in page.splitlines()
        if line.startswith("| ")
    ]


def test_ours_stands_beside_the_papers(result):
    heading, _, *rows = cells(ablation_markdown(result))
    assert heading[1:4] == ["MAE, ours", "Corr, ours", "Acc-2 non0, ours"]
    assert heading[6:] == [
        *("paper: CMU-MOSI MAE / Corr", "paper: CMU-MOSEI MAE / Corr", "paper: UR-FUNNY Acc2"),
    ]
    assert len(rows) == 14
    assert rows[0] == [
        *("full (`full`)", "0.700 ± 0.010", "–", "0.800 ± 0.010", "0.600 to 0.800", "–"),
        *("0.711 / 0.791", "0.529 / 0.772", "72.55"),
    ]
    assert rows[1] == [
        *("w/o visual (`without_vision`)", "0.710 ± 0.010", "–", "0.800 ± 0.010"),
        *("0.610 to 0.810", "+0.010 (0.010 to 0.200), p 0.030"),
        *("0.857 / 0.771", "0.541 / 0.770", "71.12"),
    ]
    assert rows[-1][0] == "Only L_Task (`task_only`)"
    assert rows[-1][6:] == ["0.788 / 0.784", "0.546 / 0.768", "71.64"]


def test_what_failed_says_why(result):
    page = ablation_markdown(result)
    assert cells(page)[5][1:6] == ["failed", *["–"] * 4]
    assert "`without_text` failed: the loss is nan" in page


def test_the_notes_tell_seeds_clips_and_selection(result):
    page = ablation_markdown(result)
    assert "686 test utterances of 31 clips; mean ± sd over 5 seed(s)" in page
    assert "used once" in page
    assert "Fewer than 5" not in page
    few = AblationResult(**(vars(result) | {"seeds": (0,), "selection": "test_oracle"}))
    assert "Fewer than 5 seeds" in ablation_markdown(few)
    assert "Selected on the test split" in ablation_markdown(few)


def test_the_json_has_everything_and_null_for_what_is_not_defined(result):
    stored = json.loads(ablation_json(result), parse_constant=pytest.fail)
    assert stored["rows"][0]["scores"]["correlation"]["mean"] is None
    assert stored["rows"][1]["differences"]["mae"]["p_value"] == 0.03
    assert stored["seeds"] == [0, 1, 2, 3, 4]
