"""The user's own command against a real server; the tests build on one another in order."""

import csv
import json
from urllib.request import Request, urlopen

import pytest

from pipeline.manifest import read_manifest
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


def test_a_schedule_is_set(service):
    (deployment,) = ask(service, "deployments/filter", {})
    assert [entry["schedule"]["cron"] for entry in deployment["schedules"]] == ["0 3 * * *"]


def test_one_new_video_is_extracted_alone(service):
    service.copy_sample("sample_12", service.videos)
    # the slash form, from another folder
    done = service.prefect(
        "deployment", "run", "extract-and-train/extract-and-train", "--watch", cwd=service.videos
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert extraction(service)["extracted"] == {"covarep": 1, "openface": 1, "bert": 1}
    assert extraction(service)["stored"] == {"covarep": 4, "openface": 4, "bert": 4}


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
