import csv
import io
import json
import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from pipeline.bootstrap import Interval
from pipeline.errors import ConfigError
from pipeline.prediction_files import (
    COLUMNS,
    check_output,
    predictions_json,
    predictions_table,
    predictions_track,
    write_predictions,
)
from pipeline.prediction_records import PredictionReport, UtterancePrediction, VideoPrediction
from pipeline.repair_log import RepairLog
from pipeline.subtitles import read_subtitles

CHROMIUM = shutil.which("chromium")
PAGE = """<!doctype html><body><video muted><track default src="track.vtt"></video><pre></pre>
<script>
const track = document.querySelector("track");
track.track.mode = "showing";
track.onerror = () => { document.querySelector("pre").textContent = "refused"; };
track.onload = () => {
  const cues = [...track.track.cues].map(cue => ({
    id: cue.id, start: cue.startTime, end: cue.endTime, text: cue.getCueAsHTML().textContent,
    classes: [...cue.getCueAsHTML().querySelectorAll("[class]")].map(one => one.className)}));
  document.querySelector("pre").textContent = JSON.stringify(cues);
};
</script>"""


def said(**changes):
    first = UtterancePrediction(
        id="c:0.250-1.500",
        start=0.25,
        end=1.5,
        text="It's <b>fine</b> & --> good,\nreally",
        label=1.0,
        predicted_class=None,
        class_probabilities={},
        class_set=None,
        prediction=1.25,
        sd=0.5,
        by_seed=(0.75, 1.25, 1.75),
        seed_interval=Interval(low=0.0, high=2.5),
        label_interval=Interval(low=-0.75, high=3.0),
        modalities=("text", "audio"),
        contributions={"text": 0.875, "audio": -0.125, "vision": 0.0},
        contribution_sd={"text": 0.1, "audio": 0.2, "vision": 0.0},
        without_all=0.5,
        seen=False,
    )
    return replace(first, **changes)


def video(name="a/talk.mp4", *utterances, content="0"):
    return VideoPrediction(path=name, id=content * 64, duration=9.0, utterances=utterances)


@pytest.fixture
def report():
    unlabelled = said(
        id="c:2-3", start=3661.0, end=3661.0001, text="", label=None, prediction=-0.4, sd=math.nan,
        by_seed=(-0.4,), seed_interval=None, label_interval=None, seen=True,
        contribution_sd=dict.fromkeys(("text", "audio", "vision"), math.nan),
    )  # fmt: skip
    return PredictionReport(
        run="mind-0",
        model="mind",
        seeds=(0, 1, 2),
        level=0.95,
        validated=40,
        extracted={"bert": 1},
        stored={"bert": 0},
        videos=(video("a/talk.mp4", said(), unlabelled), video("b/silent.mp4", content="1")),
        failures=(),
    )


def test_json_holds_everything(report):
    text = predictions_json(report)
    again = TypeAdapter(PredictionReport).validate_json(text)
    assert predictions_json(again) == text
    assert again.videos[0].utterances[0] == report.videos[0].utterances[0]
    first, second = json.loads(text)["videos"][0]["utterances"]
    assert first["label_interval"] == {"low": -0.75, "high": 3.0}
    assert second["sd"] is None
    assert second["label_interval"] is None


def test_table_has_a_row_for_each_utterance(report):
    rows = list(csv.DictReader(io.StringIO(predictions_table(report))))
    assert [row["start"] for row in rows] == ["0.250", "3661.000"]
    assert tuple(rows[0]) == COLUMNS
    first, second = rows
    assert first["text"] == said().text
    assert (first["label_low"], first["seed_high"]) == ("-0.7500", "2.5000")
    assert sum(float(first[f"from_{m}"]) for m in ("text", "audio", "vision")) == pytest.approx(
        float(first["prediction"]) - float(first["without_all"])
    )
    assert (first["seen"], second["seen"]) == ("no", "yes")
    empty = ("label", "class", "class_set", "sd", "label_low", "seed_low")
    assert {second[name] for name in empty} == {""}


def test_track_is_read_as_subtitles(report):
    whole = video("v", said(end=6.5), said(start=3661.0, end=3667.0))
    text = predictions_track(whole, level=report.level)
    log = RepairLog(Path("track.vtt"))
    first, second = read_subtitles(text=text, duration=4000.0, log=log)
    assert not log.repairs()
    assert (first.start, first.end, second.start, second.end) == (0.25, 6.5, 3661.0, 3667.0)
    assert predictions_track(report.videos[1], level=0.95) == "WEBVTT\n"


def test_track_shows_the_sign_and_what_is_known():
    def score(**changes):
        return predictions_track(video("v", said(**changes)), level=0.9).splitlines()[-2]

    assert score() == "<c.positive>+1.25</c> (90%: -0.75 to +3.00)"
    assert score(label_interval=None) == "<c.positive>+1.25</c> (90% over seeds: +0.00 to +2.50)"
    assert score(prediction=-1, label_interval=None, seed_interval=None) == (
        "<c.negative>-1.00</c>"
    )
    assert score(prediction=0.0).startswith("<c.neutral>+0.00")


CLASSES = {
    "label": None,
    "predicted_class": "Ask & <wait>",
    "class_probabilities": {"Agree": 0.25, "Ask & <wait>": 0.7, "Leave": 0.05},
    "class_set": ("Ask & <wait>", "Agree"),
    "prediction": 0.7,
    "sd": 0.123,
    "by_seed": (0.6, 0.7, 0.8),
    "label_interval": None,
}


def test_classes_are_named_in_every_file(report):
    whole = replace(report, videos=(video("v", said(**CLASSES)),))
    lines = predictions_track(whole.videos[0], level=0.9).splitlines()
    assert lines[-2] == (
        "<c.class>Ask &amp; &lt;wait&gt;</c> 70% ± 12% (90%: Ask &amp; &lt;wait&gt;, Agree)"
    )
    alone = said(**CLASSES | {"sd": math.nan, "class_set": None})
    assert predictions_track(video("v", alone), level=0.9).splitlines()[-2].endswith("</c> 70%")
    (row,) = csv.DictReader(io.StringIO(predictions_table(whole)))
    assert (row["class"], row["prediction"], row["sd"]) == ("Ask & <wait>", "0.7000", "0.1230")
    assert row["class_set"] == "Ask & <wait>; Agree"
    (utterance,) = json.loads(predictions_json(whole))["videos"][0]["utterances"]
    assert utterance["class_probabilities"] == CLASSES["class_probabilities"]
    assert utterance["class_set"] == ["Ask & <wait>", "Agree"]


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_track_plays_in_a_browser(report, site, tmp_path):
    write_predictions(replace(report, videos=report.videos[:1]), site.folder / "track.vtt")
    (site.folder / "page.html").write_text(PAGE)
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *("--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}"),
            f"{site.address}/page.html",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    shown = done.stdout.partition("<pre>")[2].partition("</pre>")[0]
    cues = json.loads(shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert [(cue["id"], cue["start"], cue["end"]) for cue in cues] == [
        ("1", 0.25, 1.5),
        ("2", 3661, 3661.001),
    ]
    assert cues[0]["text"].splitlines() == [
        "It's <b>fine</b> & --> good, really",
        "+1.25 (95%: -0.75 to +3.00)",
        "text +0.88, audio -0.12, vision +0.00",
    ]
    assert [cue["classes"] for cue in cues] == [["positive"], ["negative"]]


def test_folder_gets_all_kinds(report, tmp_path):
    names = write_predictions(report, tmp_path / "new")
    assert {path.name for path in names} == {
        "predictions.json",
        "predictions.csv",
        "talk.sentiment.vtt",
        "silent.sentiment.vtt",
    }
    same = (video("a/talk.mp4", content="a"), video("b/talk.mp4", content="b"))
    names = write_predictions(replace(report, videos=same), tmp_path)
    assert [path.name for path in names[2:]] == [
        "talk.aaaaaaaa.sentiment.vtt",
        "talk.bbbbbbbb.sentiment.vtt",
    ]


def test_what_cannot_be_written_is_refused(report, tmp_path):
    with pytest.raises(ConfigError, match="these are 2; name a folder"):
        write_predictions(report, tmp_path / "one.vtt")
    with pytest.raises(ConfigError, match=r"\.json.*\.csv.*\.vtt"):
        check_output(tmp_path / "one.txt")
    words = tmp_path / "talk.vtt"
    words.write_text("WEBVTT\n")
    one = replace(report, videos=report.videos[:1])
    with pytest.raises(ConfigError, match="words are read from"):
        write_predictions(one, words, inputs=[words])
    assert words.read_text() == "WEBVTT\n"
    assert list(tmp_path.iterdir()) == [words]


@pytest.mark.parametrize("suffix", [".json", ".csv", ".vtt", ".VTT"])
def test_suffix_says_the_kind(report, tmp_path, suffix):
    path = tmp_path / f"p{suffix}"
    assert write_predictions(replace(report, videos=report.videos[:1]), path) == [path]
    assert path.read_text()[0] == {".json": "{", ".csv": "v"}.get(suffix, "W")
