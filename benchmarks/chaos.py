"""Faults on purpose, with real processes: ``make chaos``; a table of what was lost and redone."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cyclopts import run
from rich.console import Console
from rich.table import Table

from benchmarks.fault_runs import (
    LostError,
    Truth,
    await_more,
    copy,
    finish,
    kill,
    predictions,
    require,
    start,
    stored,
    write_clips,
)
from pipeline.manifest import read_manifest
from pipeline.records import Clip, Failure

#: So many kills in a row before a run may end.
CHAIN = 4
#: Of the kills; the rest are kills of single workers.
SHARES = {"ingest": 0.3, "extract": 0.15, "train": 0.2, "flow": 0.1}
#: Of the workers' extraction, whose processes must be at work for a while.
MORE_CLIPS, LONGER_SECONDS = 24, 4.0


@dataclass(kw_only=True)
class Row:
    """What a fault did."""

    fault: str
    times: int = 0
    lost: int = 0
    redone: str = ""
    seconds: float = 0.0
    at_random: bool = False
    notes: list[str] = field(default_factory=list)


def kill_runs(truth: Truth, root: Path, action: str, times: int, chance: random.Random) -> Row:
    """Kill a step's processes at random instants, several times in a row, and let it finish."""
    without = {"ingest": ("clips.jsonl", "segments.jsonl", "split.json"), "extract": ("features",)}
    row = Row(fault=f"kill -9 of {action}, all its processes", at_random=True)
    done_before = 0
    while row.times < times:
        copy(truth, root, without=without.get(action, ("runs", "packed")))
        before = truth.check(root)
        in_a_row = 0
        while in_a_row < CHAIN and row.times < times:
            process = start(action, root)
            # most of an extraction's time its workers only begin
            if action == "extract" and in_a_row % 2:
                await_more(process, root)
                process.join(timeout=chance.uniform(0, 1))
            else:
                process.join(timeout=chance.uniform(0, truth.seconds[action]))
            if not kill(process):
                break
            row.times += 1
            in_a_row += 1
            after = truth.check(root)
            row.lost += max(0, before - after)
            before = after
        done_before += before if action == "extract" else in_a_row
        finish(action, root)
        truth.check_all(root)
        if action == "train":
            require(predictions(root) == truth.predictions, "the resumed training differs")
    redone = {
        "extract": f"{done_before} sequences were stored before the last run and not made again",
        "train": "epochs that were not finished; the same predictions, byte for byte",
    }
    row.redone = redone.get(action, "the step")
    return row


def kill_workers(root: Path, times: int, chance: random.Random) -> Row:
    """Kill single workers of an extraction, which goes on; what they were at is redone."""
    write_clips(root.parent / "videos", count=MORE_CLIPS, seconds=LONGER_SECONDS)
    truth = Truth.make(root.with_name("truth"), train=False)
    row = Row(fault="kill -9 of one worker of an extraction", at_random=True)
    again = runs = 0
    while row.times < times:
        copy(truth, root, without=("features",))
        process = start("extract", root)
        # one while they begin, the others while they work
        process.join(timeout=chance.uniform(0, truth.seconds["extract"] / 2))
        killed = _kill_one(process, chance)
        while row.times + killed < times and await_more(process, root):
            process.join(timeout=chance.uniform(0, 1))
            killed += _kill_one(process, chance)
        process.join()
        require(process.exitcode == 0, f"extract ended with status {process.exitcode}")
        missing = len(truth.features) - truth.check(root)
        codes = [failure.code for failure in read_manifest(root / "failures.jsonl", Failure)]
        require(set(codes) <= {"crashed", "no_transcript"}, f"failures {codes}")
        require(missing == codes.count("crashed") <= killed, f"{killed} killed, {missing} missing")
        finish("extract", root)
        truth.check_all(root)
        row.times, again, runs = row.times + killed, again + missing, runs + 1
    row.redone = f"{again} clips that a killed worker was at, by the next run"
    row.notes.append(f"all {runs} runs went on and ended")
    return row


def _kill_one(process: Any, chance: random.Random) -> int:
    """Kill a worker of an extraction; gives how many there were to kill, 0 or 1."""
    worker = a_worker(process.pid, chance)
    try:
        if worker is not None:
            os.kill(worker, signal.SIGKILL)
    except ProcessLookupError:
        return 0
    return int(worker is not None)


def a_worker(parent: int, chance: random.Random) -> int | None:
    """Choose a process that extracts: a child of a child, or of the run itself."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            command = path.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"spawn_main" in command:
            found.append(int(path.parent.name))
    return chance.choice(found) if found else None


def two_at_once(truth: Truth, root: Path, times: int) -> Row:
    """Let two runs extract into one workspace at once."""
    row = Row(fault="two runs at once on one workspace", redone="nothing")
    for _ in range(times):
        copy(truth, root, without=("features",))
        processes = [start("extract", root) for _ in range(2)]
        for process in processes:
            process.join()
            require(process.exitcode == 0, f"a run ended with status {process.exitcode}")
        truth.check_all(root)
        # the second found everything done
        facts = json.loads((root / "extraction.json").read_bytes())
        require(facts["extracted"]["covarep"] == 0, "both extracted the same")
        row.times += 1
    return row


def full_disk(root: Path) -> Row:
    """Fill a small disk during an extraction: tests/pipeline/full_disk.py, which checks it all."""
    row = Row(fault="disk full during an extraction (tmpfs of 600 kB)")
    write_clips(root / "videos", count=5, seconds=2.2)
    (root / "disk").mkdir()
    test = Path(__file__).parents[1] / "tests" / "pipeline" / "full_disk.py"
    script = f'mount -t tmpfs -o size=600k tmpfs "{root / "disk"}"; exec "$@"'
    command = ["unshare", "-rm", "sh", "-ec", script, "sh", sys.executable, str(test), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "mount" in done.stderr or "unshare" in done.stderr:
        row.notes.append("no small disk can be mounted here")
        return row
    require(done.returncode == 0, done.stderr[-500:])
    row.times, row.redone = 1, "the sequence that found no room"
    return row


def hang(truth: Truth, root: Path, times: int, chance: random.Random) -> Row:
    """Stop a worker as a decoder that hangs does; it must be killed, and its clip told of."""
    row = Row(fault="a clip hangs (its process stopped)")
    for _ in range(times):
        copy(truth, root, without=("features",))
        process = start("extract", root, patience=20.0)
        worker = None
        while worker is None and process.exitcode is None:
            if stored(root):
                worker = a_worker(process.pid, chance)
            time.sleep(0.05)
        require(worker is not None, "no worker was seen")
        os.kill(worker or 0, signal.SIGSTOP)
        process.join()
        require(process.exitcode == 0, f"extract ended with status {process.exitcode}")
        missing = len(truth.features) - truth.check(root)
        codes = [f.code for f in read_manifest(root / "failures.jsonl", Failure)]
        require(codes.count("timed_out") == missing <= 1, f"{missing} missing, {codes}")
        finish("extract", root)
        truth.check_all(root)
        row.times += 1
    row.redone = "the clip, by the next run"
    return row


def named_pipe(root: Path) -> Row:
    """Lay a named pipe among the videos: nobody ever writes to it."""
    row = Row(fault="a file that never ends (named pipe x.mp4)")
    write_clips(root / "videos", count=2)
    os.mkfifo(root / "videos" / "x.mp4")
    process = start("ingest", root / "work")
    process.join(timeout=120.0)
    ended = not kill(process)
    require(ended, "ingest waits for ever")
    require(len(read_manifest(root / "work" / "clips.jsonl", Clip)) == 2, "clips are missing")
    row.times, row.redone = 1, "nothing"
    return row


def restart_server(truth: Truth, root: Path) -> Row:
    """Kill Prefect's server, and a flow that it started, in the middle of an extraction."""
    from benchmarks.chaos_server import kill_server

    row = Row(fault="kill -9 of Prefect's server, restarted; kill -9 of a flow")
    row.times, row.notes = kill_server(truth, root)
    row.redone = "the clips that were in work"
    return row


def kill_flows(truth: Truth, root: Path, times: int, chance: random.Random) -> Row:
    """Kill runs of a served deployment, all their processes, at random instants."""
    from benchmarks.chaos_server import kill_served

    row = Row(fault="kill -9 of a served flow, all its processes", times=times, at_random=True)
    there, runs = kill_served(truth, root, times, chance, chain=CHAIN)
    row.redone = f"{there} sequences were stored before the last runs and not made again"
    row.notes.append(f"all {runs} last runs ended completed")
    return row


def _do(fault: Callable[[], Row], console: Console) -> Row:
    began = time.monotonic()
    try:
        row = fault()
    except LostError as error:
        row = Row(fault=str(getattr(fault, "func", fault).__name__), times=1, lost=1)
        row.notes.append(str(error))
    row.seconds = time.monotonic() - began
    told = "; ".join([f"{row.times} times, {row.lost} lost", row.redone, *row.notes])
    console.print(f"{row.fault}: {told}, {row.seconds:.0f} s", markup=False, highlight=False)
    return row


def chaos(*, kills: int = 100, seed: int = 0, server: bool = True) -> None:
    """Do every fault and print what was lost and what was redone; status 1 if anything was lost.

    Parameters
    ----------
    kills : int
        Processes killed at random instants, all kinds together.
    seed : int
        Of the instants.
    server : bool
        Whether a Prefect server is killed and restarted during a flow, too.
    """
    chance, rows = random.Random(seed), list[Row]()
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 170)
    with TemporaryDirectory(prefix="winnow-chaos-") as name:
        place = Path(name)
        write_clips(place / "videos")
        truth = Truth.make(place / "truth")
        console.print(f"undisturbed, seconds: {truth.seconds}")
        root = place / "work"
        few = 1 if kills < 20 else 3
        faults: list[Callable[[], Row]] = [
            partial(named_pipe, place / "pipe"),
            partial(full_disk, place / "full"),
            partial(two_at_once, truth, root, few),
            partial(hang, truth, root, few, chance),
        ]
        if server:
            faults.append(partial(restart_server, truth, place / "server"))
        shared = {action: max(1, round(share * kills)) for action, share in SHARES.items()}
        flows = shared.pop("flow") * server
        if flows:
            faults.append(partial(kill_flows, truth, place / "served", flows, chance))
        faults += [
            partial(kill_runs, truth, root, action, times, chance)
            for action, times in shared.items()
        ]
        single = max(1, kills - sum(shared.values()) - flows)
        faults.append(partial(kill_workers, place / "more" / "work", single, chance))
        rows += [_do(fault, console) for fault in faults]
    console.print(_table(rows))
    if any(row.lost for row in rows):
        sys.exit(1)


def _table(rows: list[Row]) -> Table:
    table = Table("fault", "times", "lost", "redone", "s", title="Faults")
    for row in rows:
        told = "; ".join([row.redone, *row.notes]).strip("; ")
        table.add_row(row.fault, str(row.times), str(row.lost), told, f"{row.seconds:.0f}")
    table.add_section()
    kills = [row for row in rows if row.at_random]
    times, lost = sum(row.times for row in kills), sum(row.lost for row in kills)
    table.add_row("all kills at random instants", str(times), str(lost))
    return table


if __name__ == "__main__":
    run(chaos)
