import json
import math

import pytest

from pipeline.bootstrap import Interval
from pipeline.reproduction import ReproducedModel, Reproduction
from pipeline.reproduction_page import (
    reproduction_html,
    reproduction_markdown,
    write_reproduction,
)
from pipeline.score_summary import SeedScores


def scores(**means):
    return {
        name: SeedScores(mean=mean, sd=0.02, interval=Interval(low=mean - 0.1, high=mean + 0.1))
        for name, mean in means.items()
    }


def model(name, **changed):
    values = {
        "model": name,
        "preset": f"{name}_mosi.yaml",
        "text": "stored features of 768 columns",
        "run": f"{name}-0",
        "scores": scores(mae=0.8, accuracy_2_non0=0.75, f1_swapped_has0=0.1),
    }
    return ReproducedModel(**(values | changed))


@pytest.fixture
def found():
    return Reproduction(
        dataset="CMU-MOSI",
        data="<b>mosi</b>.pkl",
        digest="0",
        utterances={"train": 1284, "valid": 229, "test": 686},
        seeds=(0, 1, 2),
        selection="valid",
        overrides={"training.max_epochs": 3},
        models=(model("mind"), model("concat", preset="", scores={}, failure="the loss is nan")),
    )


def rows(page):
    lines = (line for line in page.splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_ours_stands_beside_the_papers(found):
    page = reproduction_markdown(found)
    heading, _, ours, paper, failed, *_ = rows(page)
    assert heading[:2] == ["model", "source"]
    ours, paper = (dict(zip(heading, line, strict=True)) for line in (ours, paper))
    assert (ours["model"], ours["MAE"]) == ("mind", "0.800 ± 0.020")
    assert ours["Corr"] == "–"
    # MInD's table 1: MAE .711, Acc-2 86.0
    assert "2401.11818" in paper["source"]
    assert float(paper["MAE"]) < 0.75
    assert 0.8 < float(paper["Acc-2 non0"]) < 0.9
    assert failed[:3] == ["concat", "ours", "failed"]
    assert "0.700 to 0.900" in page
    assert "swapped" not in page
    assert "`concat` failed: the loss is nan" in page


def test_what_a_reader_must_know(found):
    page = reproduction_markdown(found)
    for said in (
        "train 1284, valid 229, test 686",
        "3 seeds",
        "Fewer than 5 seeds",
        "training.max_epochs=3",
        "the model's defaults",
        "stored features of 768 columns",
        "selected by the validation split",
    ):
        assert said in page
    oracle = Reproduction(**(vars(found) | {"selection": "test_oracle"}))
    assert "too good" in reproduction_markdown(oracle)
    assert 'class="warning"' in reproduction_html(oracle)
    assert 'class="warning"' not in reproduction_html(found)


def test_html_holds_the_same_and_fetches_nothing(found):
    page = reproduction_html(found)
    assert "0.800 ± 0.020" in page
    assert "&lt;b&gt;mosi&lt;/b&gt;.pkl" in page
    assert "default-src 'none'" in page
    assert page.count("<table>") == 4
    for loaded in ("<script", "src=", "@import", "url("):
        assert loaded not in page


def test_files(found, tmp_path):
    paths = write_reproduction(found, tmp_path / "new")
    assert [path.name for path in paths] == [
        "reproduction.md",
        "reproduction.json",
        "reproduction.html",
    ]
    stored = json.loads(paths[1].read_text())
    assert stored["models"][0]["scores"]["mae"]["interval"] == {
        "low": pytest.approx(0.7),
        "high": pytest.approx(0.9),
    }
    assert stored["models"][1]["failure"] == "the loss is nan"
    assert not math.isnan(stored["models"][0]["scores"]["mae"]["sd"])
