import csv
import errno
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pipeline.cli
from extractors.sequence import FeatureSequence
from pipeline.chain import Project
from pipeline.cli import app, console, main
from pipeline.config import load_config
from pipeline.errors import ConfigError, RunError, SourceError, WorkspaceError
from pipeline.formats.mmsa_writing import write_mmsa
from pipeline.formats.utterance import Utterance
from pipeline.records import Failure
from pipeline.workspace import Workspace

WINNOW = Path(sys.executable).parent / "winnow"
SET = ["--set", "extractors={covarep: {}, bert: {}}", "--set", "jobs=1"]
COVAREP = ["--set", "extractors={covarep: {}}", "--set", "jobs=1"]
SHORT = [
    *("--set", "training.max_epochs=2"),
    *("--set", "training.seeds=[0]"),
    *("--set", "training.device=cpu"),
]
SRT = "1\n00:00:00,100 --> 00:00:00,900\nQuite good.\n"


@pytest.fixture
def workspace(tmp_path):
    return Workspace(root=tmp_path / "work")


@pytest.fixture
def winnow(workspace, capsys, monkeypatch):
    """Call the command in this process; gives what it printed, without line breaks."""

    monkeypatch.setattr(console, "width", 500)

    def winnow(*tokens):
        app([*tokens, "--workspace", str(workspace.root)], result_action="return_value")
        return " ".join(capsys.readouterr().out.split())

    return winnow


@pytest.fixture
def command(tmp_path):
    """Call the installed command."""

    def command(*tokens):
        return subprocess.run(
            [WINNOW, *tokens],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"COLUMNS": "200"},
        )

    return command


@pytest.fixture
def videos(tmp_path, make_clip):
    rows = []
    for number, split in enumerate(["train", "train", "valid", "test", ""]):
        path = make_clip(path=f"videos/{number}.wav", picture=None, seconds=1 + number / 10)
        path.with_suffix(".srt").write_text(SRT)
        rows += [[path.name, str(number - 1), split]] if split else []
    with (tmp_path / "videos" / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["video", "label", "split"], *rows])
    return tmp_path / "videos"


def test_ingest_tells_what_was_found(winnow, videos):
    (videos / "[").mkdir()
    (videos / "[" / "b] odd.mp4").write_text("no video")
    told = winnow("ingest", str(videos))
    assert re.search(r"clips │ 5 ", told)
    assert re.search(r"of them labelled │ 4 \(train 2, valid 1, test 1\)", told)
    assert re.search(r"ingest │ not_media │ 1 ", told)
    assert "[/b] odd.mp4" in told
    assert "failures.jsonl" in told


@pytest.mark.parametrize(
    ("tokens", "error", "told"),
    [
        (["ingest", "/none/at/all"], SourceError, "no such folder"),
        (["extract"], SourceError, "nothing was ingested"),
        (["train"], SourceError, "nothing was ingested"),
        (["store", "gc"], SourceError, "nothing was ingested"),
        (["quarantine", "list"], SourceError, "nothing was ingested"),
        (["quarantine", "clear"], SourceError, "nothing was ingested"),
        (["report"], RunError, "no complete run 'latest'.*there are: none"),
        (["report", "abc"], RunError, "no complete run 'abc'"),
        (["extract", "--set", "jobs"], ConfigError, "write name=value"),
        (["extract", "--set", "jobs=[1"], ConfigError, "not a YAML value"),
        (["extract", "--set", "nothing=1"], ConfigError, "nothing"),
        (["extract", "--config", "/none.yaml"], ConfigError, r"/none\.yaml"),
        (["store", "gc", "--set", "store=/shared"], ConfigError, "--dry-run"),
    ],
)
def test_errors_are_raised(winnow, workspace, tokens, error, told):
    with pytest.raises(error, match=told):
        winnow(*tokens)
    assert not workspace.root.exists()


def test_quarantine_is_listed_and_cleared(winnow, workspace, videos):
    winnow("ingest", str(videos))
    assert "0 in quarantine" in winnow("quarantine", "list")
    project = Project(workspace=workspace, config=load_config(None))
    inner = replace(project, workspace=workspace.for_predictions)
    clips, plan = project.clips(), project.plan()
    for owner, clip in ((project, clips[0]), (project, clips[1]), (inner, clips[2])):
        failure = Failure(
            item=clip.path, step="extract:covarep", code="crashed", detail="[red] died",
            clip_id=clip.id,
        )  # fmt: skip
        for _ in range(3):
            owner.quarantine.update([failure], plan)
    told = winnow("quarantine", "list")
    assert "3 in quarantine" in told
    assert re.search(r"0\.wav │ covarep │ 3 .* crashed: \[red\] died", told)
    with pytest.raises(SourceError, match=r"x\.wav: no failure is recorded") as caught:
        winnow("quarantine", "clear", "0.wav", "x.wav")
    assert caught.value.code == "not_quarantined"
    assert "3 in quarantine" in winnow("quarantine", "list")
    assert "2 will be tried again" in winnow("quarantine", "clear", "0.wav", clips[2].id)
    assert "1 in quarantine" in winnow("quarantine", "list")
    assert "1 will be tried again" in winnow("quarantine", "clear")
    assert "0 in quarantine" in winnow("quarantine", "list")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "OSError: .*a disk is full.*run the same",
        ),
        (OSError(errno.EIO, "Input/output error"), r"OSError: \[Errno 5\] Input/output error$"),
        (WorkspaceError("[/b] in use"), r"WorkspaceError: \[/b\] in use$"),
    ],
)
def test_what_ends_the_command_is_told(monkeypatch, capsys, error, told):
    def fail():
        raise error

    monkeypatch.setattr(pipeline.cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert re.search(told, " ".join(capsys.readouterr().err.split()))


def ended_with_a_message(done, told):
    assert done.returncode == 2
    assert re.search(told, done.stderr)
    assert "Traceback" not in done.stderr + done.stdout
    return True


@pytest.mark.slow
def test_the_command_ends_with_a_message(command, tmp_path):
    bad = os.fsdecode(b"caf\xe9")
    assert ended_with_a_message(command("ingest", "[/b] none"), r"SourceError: .*\[/b\] none: no")
    assert ended_with_a_message(command("ingest", bad), "SourceError: .*no such folder")
    assert ended_with_a_message(
        command("extract", "--set", "training.epochs=3"), r"ConfigError: settings: training\.epochs"
    )
    assert ended_with_a_message(
        command("extract", "--set", "extractors.covarap={}"), "unknown extractor 'covarap'"
    )


@pytest.mark.slow
def test_a_workspace_that_cannot_be_written(command, videos, tmp_path):
    (tmp_path / "taken").touch()
    done = command("ingest", str(videos), "--workspace", "taken")
    assert ended_with_a_message(done, "taken")


@pytest.mark.slow
def test_the_command_without_an_error(command, videos):
    assert command("--help").returncode == 0
    done = command("ingest", str(videos))
    assert (done.returncode, done.stderr) == (0, "")
    assert "clips" in done.stdout
    assert command("ingest", str(videos), "--no-such-option").returncode != 0
    assert command("nothing").returncode != 0


@pytest.mark.slow
def test_two_commands_at_once_share_the_work(command, videos, workspace):
    project = Project(workspace=workspace, config=load_config(None))
    project.ingest(videos)
    tokens = ["extract", "--workspace", str(workspace.root), *COVAREP]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: command(*tokens), range(2)))
    assert [one.returncode for one in done] == [0, 0], done
    told = {re.search(r"covarep: .*, \d+ failed", one.stdout).group() for one in done}
    assert told == {
        "covarep: 5 extracted, 0 stored before, 0 failed",
        "covarep: 0 extracted, 5 stored before, 0 failed",
    }
    assert project.store.verify() == []


def damaged(store_folder):
    path = next(store_folder.rglob("covarep/*/*.safetensors"))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    return path, content


def assert_new_videos_use_the_store(winnow, workspace, folder):
    """Two of three are known already: only the third is extracted, into the project's store."""
    before = set(workspace.features.rglob("*.safetensors"))
    told = winnow("predict", str(folder / "new"), *SET, *SHORT)
    path = Path(told.rpartition("predictions: ")[2])
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [Path(row["video"]).name for row in rows] == ["3.wav", "4.wav", "fresh.wav"]
    assert len(set(workspace.features.rglob("*.safetensors")) - before) == 2
    assert not (workspace.root / "predict" / "features").exists()


@pytest.mark.slow
def test_the_whole_chain(winnow, command, workspace, videos, make_clip, tmp_path):
    winnow("ingest", str(videos))
    told = winnow("extract", *SET)
    assert "covarep: 5 extracted, 0 stored before, 0 failed" in told
    assert "bert: 0 extracted, 5 stored before, 0 failed" in winnow("extract", *SET)

    told = winnow("train", *SET, *SHORT)
    assert "mind on the test split (1 utterances)" in told
    page = Path(told.rpartition("report: ")[2])
    assert page.is_file()
    assert winnow("evaluate", *SET, *SHORT, "--split", "train").startswith("latest on train")
    told = winnow("report", "latest")
    assert told.endswith(f"report: {page}")
    assert "mind on the test split (1 utterances)" in told
    assert "<title>Run mind-" in page.read_text(encoding="utf-8")

    assert winnow("predict", *SET, *SHORT) == f"predictions: {workspace.predictions}"
    with workspace.predictions.open(newline="") as stream:
        assert [row["video"] for row in csv.DictReader(stream)] == [str(videos / "4.wav")]

    shutil.copytree(videos, tmp_path / "new", ignore=shutil.ignore_patterns("[0-2]*", "*.csv"))
    make_clip(path="new/fresh.wav", picture=None, seconds=3.0).with_suffix(".srt").write_text(SRT)
    assert_new_videos_use_the_store(winnow, workspace, tmp_path)
    told = winnow("store", "ls")
    assert len(re.findall(r"│ 6 +│", told)) == 2

    # nothing but the left-over of a killed run is out of reach
    left = next(workspace.features.rglob("*.safetensors")).parent / ".killed.part"
    left.write_bytes(b"x")
    stored = set(workspace.features.rglob("*"))
    assert "1 files, 0.0 MB would be deleted" in winnow("store", "gc", "--dry-run", *SET)
    assert set(workspace.features.rglob("*")) == stored
    assert "1 files, 0.0 MB deleted" in winnow("store", "gc", *SET)
    assert set(workspace.features.rglob("*")) == stored - {left}

    # other settings make another sequence; the old ones are then out of reach
    other = [*SET, "--set", "extractors.covarep.f0_min=60"]
    assert "covarep: 5 extracted" in winnow("extract", *other)
    (videos / "4.wav").unlink()
    winnow("ingest", str(videos))
    shutil.rmtree(workspace.root / "predict")
    project = Project(workspace=workspace, config=load_config(None))
    assert "deleted" in winnow("store", "gc", *SET)
    kept = {path.stem[:64] for path in workspace.features.rglob("*.safetensors")}
    assert kept == {clip.id for clip in project.clips()}
    assert len(list(workspace.features.rglob("*.safetensors"))) == 8
    assert "bert: 0 extracted, 4 stored before" in winnow("extract", *SET)

    assert winnow("store", "verify") == "0 damaged"
    path, content = damaged(workspace.features)
    done = command("store", "verify", "--workspace", str(workspace.root))
    assert done.returncode == 1
    assert path.name in done.stdout
    assert "1 damaged" in done.stdout
    path.write_bytes(content)
    assert command("store", "verify", "--workspace", str(workspace.root)).returncode == 0


@pytest.mark.slow
def test_bad_input_does_not_stop_the_chain(winnow, workspace, videos, make_clip):
    (videos / "text.mp4").write_text("no video")
    shutil.copy(videos / "0.wav", videos / "again.wav")
    whole = make_clip(path="whole.mp4", seconds=3.0, size=(320, 240), faststart=True)
    (videos / "cut.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    make_clip(path="videos/mute [red] 'x'\n.mp4", sound=None, seconds=1.0)
    with (videos / "labels.csv").open("a") as stream:
        stream.write("none.wav,1,train\n0.wav,7,train\n1.wav,so so,train\n")
    told = winnow("ingest", str(videos))
    for code in ("duplicate", "not_media", "truncated", "no_transcript", "unknown_clip",
                 "label_out_of_range", "bad_number"):  # fmt: skip
        assert code in told
    assert "0 failed" in winnow("extract", *SET)
    assert "test split" in winnow("train", *SET, *SHORT)
    assert (workspace.runs / "latest").is_file()


def test_who_writes_down_what_is_said(winnow, workspace, make_clip, tmp_path):
    make_clip(path="talk/a.wav", picture=None)
    winnow("ingest", str(tmp_path / "talk"), "--asr", "none")
    (failure,) = Project(workspace=workspace, config=load_config(None)).failures()
    assert failure.code == "no_transcript"
    assert "recognition is off" in failure.detail


def test_a_data_set_is_converted(tmp_path, capsys):
    def spoken(name, split):
        values = np.arange(6, dtype=np.float32).reshape(3, 2)
        times = np.array([[0, 0.1], [0.1, 0.2], [0.2, 0.3]])
        rows = FeatureSequence(
            values=values, times=times, names=("a", "b"), valid=np.ones(3, np.bool_)
        )
        return Utterance(
            video=name, clip="0", split=split, label=1.0, text="yes", features={"audio": rows}
        )

    source, target = tmp_path / "a.pkl", tmp_path / "folder"
    write_mmsa(source, [spoken("x", "train"), spoken("y", "valid"), spoken("z", "test")])
    app(["convert", str(source), str(target)], result_action="return_value")
    assert "3 utterances, mmsa to folder" in capsys.readouterr().out
    with (target / "labels.csv").open(newline="") as stream:
        assert [row["split"] for row in csv.DictReader(stream)] == ["train", "valid", "test"]


@pytest.mark.slow
def test_models_are_compared_where_the_truth_is_known(tmp_path, capsys):
    sizes = {"n_train": 40, "n_valid": 20, "n_test": 20, "n_probe_train": 40, "n_probe_test": 40}
    smaller = [f"--set=data.{name}={size}" for name, size in sizes.items()]
    tokens = ["benchmark", "synth", "self_mm", "--quick", "--set=training.max_epochs=1"]
    app([*tokens, *smaller, "--output", str(tmp_path)], result_action="return_value")
    assert "self_mm" in (tmp_path / "table.md").read_text()
    assert (tmp_path / "heat_map.png").stat().st_size > 1000
    assert str(tmp_path / "table.md") in capsys.readouterr().out.replace("\n", "")
