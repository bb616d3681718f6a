"""The user's own command against a real server; the tests build on one another in order."""

import csv
import json
import os
import signal
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from flows.bare_names import DEPLOYMENTS
from flows.safeguards import AUTOMATION
from pipeline.manifest import read_manifest
from pipeline.metrics import METRIC_NAMES
from pipeline.records import Failure
from pipeline.run_folder import load_run

pytestmark = [pytest.mark.slow, pytest.mark.flow]
COMMAND = ("deployment", "run", "extract-and-train", "--watch")


def ask(service, path, body):
    request = Request(
        f"{service.address}/api/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def extraction(service):
    return json.loads(service.workspace.extraction.read_text())


def test_the_command_as_typed_completes(service):
    done = service.prefect(*COMMAND)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Completed" in done.stdout
    assert extraction(service)["extracted"] == {"covarep": 4, "openface": 4, "bert": 4}
    report = load_run(service.workspace.runs)
    assert report.model == "mind"
    assert report.data["utterances"] == {"train": 6, "valid": 6, "test": 6}
    assert {"ingest", "extract", "pack", "train", "evaluate"} <= report.timings.keys()


def test_labels_of_absent_clips_are_recorded(service):
    failures = read_manifest(service.workspace.failures, Failure)
    assert {failure.code for failure in failures} == {"unknown_clip"}
    # labels.csv speaks of ten clips with six utterances each, three of them are here
    assert len(failures) == 42


def test_unlabelled_utterances_are_predicted(service):
    with service.workspace.predictions.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["video"] for row in rows} == {str(service.videos / "sample_11.mp4")}
    assert len(rows) >= 3
    assert all(-6 < float(row["prediction"]) < 6 for row in rows)


def test_a_person_sees_the_report(service):
    artifacts = ask(service, "artifacts/filter", {})
    pages = [found["data"] for found in artifacts if found["key"] == "run-report"]
    assert load_run(service.workspace.runs).id in pages[0]


def test_a_person_sees_every_stage(service):
    shown = {found["key"]: found for found in ask(service, "artifacts/filter", {})}
    assert shown["progress-train"]["data"] == 100.0
    assert shown["progress-extract"]["description"] == "extract: 4 of 4, finished"
    (row,) = json.loads(shown["failures"]["data"])
    assert (row["code"], row["count"]) == ("unknown_clip", 42)
    metrics = [row["metric"] for row in json.loads(shown["headline"]["data"])]
    assert metrics == list(METRIC_NAMES)
    assert "report" in shown


def test_only_what_was_asked_for_has_a_schedule(service):
    crons = {
        deployment["name"]: [entry["schedule"]["cron"] for entry in deployment["schedules"]]
        for deployment in ask(service, "deployments/filter", {})
    }
    assert crons == {name: [] for name in DEPLOYMENTS} | {"scheduled-retrain": ["0 3 * * *"]}


def test_the_server_notices_killed_runs_and_limits_gpu_tasks(service):
    (automation,) = (
        found for found in ask(service, "automations/filter", {}) if found["name"] == AUTOMATION
    )
    assert automation["enabled"]
    assert "prefect.tag.winnow" in json.dumps(automation["trigger"]["match_related"])
    limits = ask(service, "v2/concurrency_limits/filter", {})
    assert {limit["name"]: limit["limit"] for limit in limits} == {"tag:gpu": 1}


def test_one_new_video_is_extracted_alone(service):
    service.copy_sample("sample_12", service.videos)
    # the slash form, from another folder
    done = service.prefect(
        "deployment", "run", "extract-and-train/extract-and-train", "--watch", cwd=service.videos
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert extraction(service)["extracted"] == {"covarep": 1, "openface": 1, "bert": 1}
    assert extraction(service)["stored"] == {"covarep": 4, "openface": 4, "bert": 4}


def message_of(service, name):
    """What the latest run of a deployment said when it completed."""
    # not one that a schedule has for later
    completed = {"state": {"type": {"any_": ["COMPLETED"]}}}
    found = {"flows": {"name": {"any_": [name]}}, "flow_runs": completed}
    found |= {"sort": "END_TIME_DESC", "limit": 1}
    (run,) = ask(service, "flow_runs/filter", found)
    return run["state"]["message"]


def run_deployment(service, name, *options):
    done = service.prefect("deployment", "run", name, "--watch", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return message_of(service, name)


def test_nothing_new_is_extracted_and_said(service):
    message = run_deployment(service, "extract-new-videos")
    assert message == "5 clips; 0 sequences extracted, 15 stored before, 0 failed"


def test_the_first_retraining_makes_a_champion(service):
    message = run_deployment(service, "scheduled-retrain")
    run = load_run(service.workspace.runs, "champion").id
    assert message.startswith(f"{run} is the first champion")
    (page,) = ask(service, "artifacts/filter", {"artifacts": {"key": {"any_": ["retraining"]}}})
    assert page["data"].startswith("# First")
    assert f"{run}/report.html" in page["data"]


def test_the_champion_predicts_new_videos(service, tmp_path):
    service.copy_sample("sample_12", tmp_path)
    message = run_deployment(service, "predict-new-videos", "-p", f"videos={tmp_path}")
    assert "(champion): " in message
    assert "of 1 videos; 1 clips; 0 sequences extracted, 3 stored before" in message
    folder = service.workspace.for_predictions.root / "predictions"
    assert sorted(path.name for path in folder.iterdir()) == [
        "predictions.csv",
        "predictions.json",
        "sample_12.sentiment.vtt",
    ]
    (table,) = ask(service, "artifacts/filter", {"artifacts": {"key": {"any_": ["predictions"]}}})
    assert {row["video"] for row in json.loads(table["data"])} == {"sample_12.mp4"}


def test_maintenance_deletes_nothing_that_is_in_use(service):
    before = sorted(service.workspace.features.rglob("*.safetensors"))
    assert " freed: " in run_deployment(service, "maintain-store")
    assert sorted(service.workspace.features.rglob("*.safetensors")) == before


def test_another_folder_is_a_parameter(service, tmp_path):
    for stem in ("sample_04", "sample_08", "sample_10"):
        service.copy_sample(stem, tmp_path)
    (tmp_path / "labels.csv").write_bytes((service.videos / "labels.csv").read_bytes())
    done = service.prefect(*COMMAND, "-p", f"videos={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert extraction(service)["extracted"] == {"covarep": 0, "openface": 0, "bert": 0}


def test_missing_folder_fails_in_words(service, tmp_path):
    done = service.prefect(*COMMAND, "-p", f"videos={tmp_path / 'nowhere'}")
    assert done.returncode != 0
    (run,) = ask(
        service,
        "flow_runs/filter",
        {"flow_runs": {"state": {"type": {"any_": ["FAILED", "CRASHED"]}}}},
    )
    assert "no such folder" in run["state"]["message"]


def children(number):
    """Processes whose parent is this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == number and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def wait_until(holds, seconds=180.0):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


def test_a_run_that_is_killed_has_crashed_and_the_others_are_served(service):
    """Its process is killed as it begins, at whatever it is doing."""
    # the process of the run before may still be about to leave
    wait_until(lambda: not children(service.served.pid))
    service.prefect("deployment", "run", "extract-and-train")
    (process,) = wait_until(lambda: children(service.served.pid))
    os.kill(process, signal.SIGKILL)
    crashed = {"flow_runs": {"state": {"type": {"any_": ["CRASHED"]}}}}
    (run,) = wait_until(lambda: ask(service, "flow_runs/filter", crashed))
    assert "SIGKILL" in run["state"]["message"]
    assert service.served.poll() is None
    assert run_deployment(service, "maintain-store", "-p", "dry_run=true")
