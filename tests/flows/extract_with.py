"""Extracts the same folder with one runner after the other; prints a line of JSON for each."""

import hashlib
import json
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness

from flows.extraction import extract_missing
from pipeline.chain import Project
from pipeline.config import RunConfig
from pipeline.extraction import ExtractionReport
from pipeline.workspace import Workspace


@flow(name="extract-with", persist_result=False)
def extract_with(root: Path, videos: str, config: RunConfig) -> ExtractionReport:
    project = Project(workspace=Workspace(root=root), config=config)
    project.ingest(videos)
    return extract_missing(project)


@flow(name="extract-gone", persist_result=False)
def extract_gone(root: Path, videos: Path, config: RunConfig) -> ExtractionReport:
    project = Project(workspace=Workspace(root=root), config=config)
    project.ingest(videos)
    for path in videos.iterdir():
        path.unlink()
    return extract_missing(project)


def tasks(name, at_least=0):
    """How many the server knows; it hears of them a moment later."""
    deadline = time.monotonic() + 60
    with get_client(sync_client=True) as client:
        while True:
            count = sum(run.name.startswith(f"{name}-") for run in client.read_task_runs())
            if count >= at_least or time.monotonic() > deadline:
                return count
            time.sleep(0.5)


def digest(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def main(folder, runners):
    with ExitStack() as stack:
        stack.enter_context(prefect_test_harness(server_startup_timeout=180))
        for number, runner in enumerate(runners, start=1):
            address = None
            if runner == "dask":
                from distributed import LocalCluster

                cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
                address = stack.enter_context(cluster).scheduler_address
            config = RunConfig(
                extractors={"covarep": {}}, runner=runner, runner_address=address, jobs=1
            )
            root, before = folder / runner, tasks("extract")
            # as if clips had taken long the last time: each is worth a task
            root.mkdir()
            facts = {"seconds": {"covarep": 1e4}, "clip_seconds": 1.0}
            (root / "extraction.json").write_text(json.dumps(facts))
            first = extract_with(root, str(folder / "videos"), config)
            made = tasks("extract", before + first.extracted["covarep"]) - before
            again = extract_with(root, str(folder / "videos"), config)
            # by then it has heard of all that came before
            tasks("finish-extraction", 2 * number)
            told = {
                "runner": runner,
                "extracted": [first.extracted, again.extracted],
                "failed": [failure.code for failure in first.failures],
                "tasks": [made, tasks("extract") - before - made],
                "files": digest(root / "features"),
            }
            sys.stdout.write(json.dumps(told) + "\n")
        config = RunConfig(extractors={"covarep": {}}, jobs=1)
        state = extract_gone(folder / "gone", folder / "videos", config, return_state=True)
        told = {"runner": "none", "state": state.type.value, "message": state.message}
        sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
