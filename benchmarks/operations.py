"""What it costs to run: ``make bench-operations``.

Four parts: the second run on ``sample_videos/`` and one new video (``second``), planning for
folders of 1,000 to 10,000 clips (``planning``), 200 clips through every runner (``runners``), and
what Prefect adds to a clip (``overhead``). Times are of the machine it runs on; counts and digests
are not.
"""

import hashlib
import resource
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from cyclopts import App
from prefect import flow
from rich.console import Console

from flows.extraction import extract_missing, extract_shard
from flows.runners import task_runner
from flows.server import free_port, prefect_environment, running_server
from pipeline.chain import Project
from pipeline.config import RunConfig
from pipeline.extraction import ExtractionReport
from pipeline.extraction_plan import ExtractionPlan
from pipeline.shard_extraction import Shard
from pipeline.sharding import divide_plan
from pipeline.word_config import WordConfig
from pipeline.workspace import Workspace

PARTS = ("second", "planning", "runners", "overhead")
SIZES = (1000, 3000, 10_000)
SAMPLES = Path(__file__).parents[1] / "sample_videos"
#: About what is said in 20 s.
SPOKEN = " ".join(["well I think that it is really rather good and then again it is not"] * 3)
# Cheap, and needs sound only.
CHEAP: dict[str, dict[str, Any]] = {"covarep": {}}
RATE = 8000

app = App()
console = Console(soft_wrap=True, highlight=False)


@app.default
def main(*, only: tuple[str, ...] = PARTS) -> None:
    """Run parts of the benchmark, each in a process of its own.

    Parameters
    ----------
    only : tuple of str
        Of second, planning, runners and overhead.
    """
    port = free_port()
    with TemporaryDirectory(prefix="winnow-operations-") as name:
        folder = Path(name)
        environment = prefect_environment(folder / "prefect", port)
        with running_server(environment=environment, port=port, log=folder / "server.log"):
            for part in only:
                console.rule(part)
                sizes = SIZES if part == "planning" else (0,)
                for size in sizes:
                    command = [sys.executable, "-m", "benchmarks.operations", part]
                    command += [str(folder / part / str(size)), *([str(size)] if size else [])]
                    subprocess.run(command, env=environment, check=True)


@flow(name="bench-extract", persist_result=False)
def extract_flow(root: Path, videos: str, config: RunConfig) -> ExtractionReport:
    """Ingest and extract, as every flow begins."""
    project = Project(workspace=Workspace(root=root), config=config)
    with project.locked("bench"):
        project.ingest(videos)
        return extract_missing(project)


@app.command(name="second")
def second_run(folder: Path) -> None:
    """Run twice on the sample videos, then with one more; by the library and by a flow.

    Parameters
    ----------
    folder : Path
        Where it is done.
    """
    videos = folder / "videos"
    videos.mkdir(parents=True)
    for path in SAMPLES.glob("sample_*.*"):
        if path.stem != "sample_12":
            shutil.copy(path, videos)
    shutil.copy(SAMPLES / "labels.csv", videos)
    project = Project(workspace=Workspace(root=folder / "work"), config=RunConfig())

    def plain() -> ExtractionReport:
        project.ingest(videos)
        plan = project.plan()
        report = project.extract(plan)
        project.finish_extraction(report)
        return report

    def flowing() -> ExtractionReport:
        return extract_flow(project.workspace.root, str(videos), project.config)

    first, _ = _timed("first run", plain)
    again, _ = _timed("second run", plain)
    console.print(f"second run: {first / again:.0f} times as fast")
    by_flow, _ = _timed("second run, flow", flowing)
    console.print(f"second run, flow: {first / by_flow:.0f} times as fast")
    for path in SAMPLES.glob("sample_12.*"):
        shutil.copy(path, videos)
    _timed("one new video", plain)


@app.command(name="planning")
def plan_many(folder: Path, size: int) -> None:
    """Ingest and plan for a folder of many clips.

    Parameters
    ----------
    folder : Path
        Where it is made.
    size : int
        Clips.
    """
    videos = folder / "videos"
    write_clips(videos, size, seconds=0.5, spoken=SPOKEN)
    # where each word is in the sound is found once; what is measured here is found every time
    config = RunConfig(words=WordConfig(alignment="none"))
    project = Project(workspace=Workspace(root=folder / "work"), config=config)
    # what is imported is no clip's
    few = Project(workspace=Workspace(root=folder / "few"), config=config)
    write_clips(folder / "few_videos", 10, seconds=0.5, spoken=SPOKEN)
    few.ingest(folder / "few_videos")
    few.plan()
    base = _memory()
    _timed(f"{size} clips, first ingest", lambda: project.ingest(videos))
    _timed(f"{size} clips, ingest again", lambda: project.ingest(videos))
    _, plan = _timed(f"{size} clips, plan, nothing stored", project.plan)
    console.print(f"{size} clips: {len(divide_plan(plan))} tasks")
    for by_name in plan.keys.values():
        for key in by_name.values():
            path = Path(project.store.root, key.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    seconds, plan = _timed(f"{size} clips, plan, all stored", project.plan)
    both = 2 * size
    console.print(
        f"{size} clips: {len(plan.jobs)} to extract, {1e6 * seconds / both:.0f} µs a feature, "
        f"{1e3 * (_memory() - base) / size:.0f} kB a clip above {base:.0f} MB"
    )


@app.command(name="runners")
def compare_runners(folder: Path, size: int = 200) -> None:
    """Send the same clips through every runner and compare the stores, file by file.

    Parameters
    ----------
    folder : Path
        Where it is done.
    size : int
        Clips.
    """
    videos = folder / "videos"
    write_clips(videos, size, seconds=0.3, spoken="")
    digests = {}
    for runner in ("local", "dask", "ray"):
        config = RunConfig(extractors=CHEAP, runner=runner)
        root = folder / runner
        seconds, report = _timed(
            runner,
            lambda root=root, config=config: extract_flow(root, str(videos), config),  # type: ignore[misc]
        )
        work = sum(report.seconds.values())
        digests[runner] = store_digest(root / "features")
        console.print(
            f"{runner}: {report.extracted} extracted, {size / seconds:.2f} clips/s with the start "
            f"of its workers, {work / size * 1e3:.0f} ms a clip in them; store {digests[runner]}"
        )
    same = len(set(digests.values())) == 1
    console.print(f"stores: {'byte-identical' if same else 'DIFFERENT'}")
    if not same:
        sys.exit(1)


@app.command(name="overhead")
def prefect_overhead(folder: Path) -> None:
    """Measure tasks that have nothing to do: what is left is Prefect's.

    Parameters
    ----------
    folder : Path
        Where it is done.
    """
    videos = folder / "videos"
    write_clips(videos, 16, seconds=0.3, spoken="")
    config = RunConfig(extractors=CHEAP)
    project = Project(workspace=Workspace(root=folder / "work"), config=config)
    report = extract_flow(project.workspace.root, str(videos), config)
    clip = sum(report.seconds.values()) / 16
    fixed, _ = _timed(
        "flow that finds nothing to do",
        lambda: extract_flow(project.workspace.root, str(videos), config),
    )
    empty = ExtractionPlan(keys={}, jobs=(), stored={"covarep": 0})
    count = 100
    tasks, _ = _timed(f"{count} tasks without work", lambda: empty_tasks(project, empty, count))
    a_task = tasks / count
    console.print(f"{1e3 * a_task:.1f} ms a task, {fixed:.2f} s a flow")
    for clips, seconds in ((16, clip), (64, clip), (16, 20 * clip)):
        share = a_task / (clips * seconds)
        console.print(
            f"{clips} clips a task, {seconds * 1e3:.0f} ms a clip: "
            f"{1e3 * a_task / clips:.2f} ms a clip are Prefect's, {100 * share:.2f} %"
        )


@flow(name="bench-empty", persist_result=False)
def empty_tasks(project: Project, plan: ExtractionPlan, count: int) -> None:
    """Send shards without clips."""
    shard = Shard(plan, extractors=CHEAP, store=project.store)
    values = {"shard": shard, "runner": "local", "jobs": 1, "deadline": None, "on_clips": None}
    with task_runner(project.config) as runner:
        for future in [runner.submit(extract_shard, values) for _ in range(count)]:
            future.result()


def write_clips(folder: Path, count: int, *, seconds: float, spoken: str) -> None:
    """Write short sounds, each with another content, and subtitles beside them."""
    folder.mkdir(parents=True)
    times = np.arange(round(seconds * RATE)) / RATE
    for number in range(count):
        noise = np.random.default_rng(number).standard_normal(len(times))
        voice = np.sign(np.sin(2 * np.pi * (90 + number % 100) * times)) + 0.1 * noise
        with wave.open(str(folder / f"clip{number:05}.wav"), "wb") as stream:
            stream.setnchannels(1)
            stream.setsampwidth(2)
            stream.setframerate(RATE)
            stream.writeframes((4000 * voice).astype("<i2").tobytes())
        if spoken:
            text = f"1\n00:00:00,000 --> 00:00:00,400\n{spoken}\n"
            (folder / f"clip{number:05}.srt").write_text(text)


def store_digest(root: Path) -> str:
    """Digest paths and bytes of everything in a store."""
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _timed(name: str, work: Callable[[], Any]) -> tuple[float, Any]:
    started, processor = time.perf_counter(), time.process_time()
    result = work()
    seconds = time.perf_counter() - started
    told = f"{name}: {seconds:.2f} s, {time.process_time() - processor:.2f} s of this processor"
    if isinstance(result, ExtractionReport):
        told += f"; extracted {result.extracted}"
    console.print(f"{told}; at most {_memory():.0f} MB")
    return seconds, result


def _memory() -> float:
    """Say what this process has taken at most, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    app()
