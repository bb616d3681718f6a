"""Kill a training again and again, and compare what it ends in with one that was left alone.

``python -m benchmarks.killed_training``: ten kills by SIGKILL, at instants that are drawn from a
seed, inside of epochs, between them, while the state is written and while the process starts.
Prints one line a kill and, last, whether weights and history are the same, bit for bit.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from extractors.sequence import FeatureSequence
from pipeline.checkpoint import read_tensors
from pipeline.dataset import PackedDataset
from pipeline.errors import StoreError
from pipeline.examples import Example
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig
from pipeline.training_job import TrainingJob

WIDTHS = {"text": 32, "audio": 16, "vision": 12}
SETTINGS = {"width": 8, "layers": 1, "heads": 2}


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One kill.

    Parameters
    ----------
    after : float
        Seconds after the first state of the process was written, or after its start.
    epochs, steps : int
        What the state on disk has done: whole epochs, and steps of the next one.
    half_written : bool
        Whether a file was being written.
    """

    after: float
    epochs: int
    steps: int
    half_written: bool


def synthetic(n: int) -> PackedDataset:
    """Make utterances whose features carry their label under noise.

    Parameters
    ----------
    n : int
        How many.

    Returns
    -------
    PackedDataset
        Of three modalities.
    """
    generator = np.random.default_rng(0)
    examples = []
    for number in range(n):
        label = float(np.clip(generator.normal(), -3, 3))
        features = {}
        for modality, width in WIDTHS.items():
            rows = int(generator.integers(4, 20))
            times = np.arange(rows) / 10
            features[modality] = FeatureSequence(
                values=(generator.standard_normal((rows, width)) + label).astype(np.float32),
                times=np.stack([times, times + 0.1], axis=1),
                names=tuple(f"c{column}" for column in range(width)),
                valid=np.ones(rows, np.bool_),
            )
        examples.append(Example(id=f"u{number:05}", label=label, features=features))
    return PackedDataset.pack(examples, digest=f"synthetic {n}")


def write_job(folder: Path, *, utterances: int, epochs: int, model: str) -> TrainingJob:
    """Prepare a training that saves its state after every step.

    Parameters
    ----------
    folder : Path
        Receives the data.
    utterances, epochs : int
        Size of the data set and length of the training.
    model : str
        Registered name.

    Returns
    -------
    TrainingJob
        For a process of its own.
    """
    dataset = synthetic(utterances)
    dataset.save(folder / "data.safetensors")
    third = utterances // 6
    return TrainingJob(
        dataset=folder / "data.safetensors",
        split=Split(train=dataset.ids[2 * third :], valid=dataset.ids[:third], test=()),
        model_name=model,
        model_module=f"models.{model}",
        model_config=SETTINGS if model == "mind" else {},
        config=TrainingConfig(
            max_epochs=epochs, patience=epochs, batch_size=16, device="cpu", save_minutes=0
        ),
        seed=1,
        folder=folder / "whole",
        threads=1,
    )


def start(job: TrainingJob) -> "subprocess.Popen[bytes]":
    """Start a process that trains.

    Parameters
    ----------
    job : TrainingJob
        What.

    Returns
    -------
    subprocess.Popen
        With an open input; its output is discarded.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.training_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    if process.stdin is not None:
        process.stdin.write(job.as_json().encode() + b"\n")
        process.stdin.flush()
    return process


def finish(job: TrainingJob) -> float:
    """Train to the end.

    Parameters
    ----------
    job : TrainingJob
        What.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    SystemExit
        If the process failed.
    """
    began = time.perf_counter()
    with start(job) as process:
        status = process.wait()
        if status:
            raise SystemExit(f"the training ended with status {status}")
    return time.perf_counter() - began


def kill_once(job: TrainingJob, *, after: float, at_start: bool) -> Kill | None:
    """Start a training, or go on with it, and kill it.

    Parameters
    ----------
    job : TrainingJob
        What.
    after : float
        Seconds.
    at_start : bool
        Whether they count from the start of the process, not from its first write.

    Returns
    -------
    Kill or None
        None if the training was done before.
    """
    state = job.folder / "state.safetensors"
    before = state.stat().st_mtime_ns if state.exists() else 0
    process = start(job)
    while not at_start and process.poll() is None:
        if state.exists() and state.stat().st_mtime_ns != before:
            break
        time.sleep(0.001)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if process.returncode != -signal.SIGKILL:
        return None
    epochs, steps = position(state)
    return Kill(
        after=after,
        epochs=epochs,
        steps=steps,
        half_written=any(job.folder.glob(".*.part")),
    )


def position(state: Path) -> tuple[int, int]:
    """Read how far a training was when its state was written.

    Parameters
    ----------
    state : Path
        The file.

    Returns
    -------
    epochs, steps : int
        Whole epochs, and steps of the next one; 0 and 0 without a file.
    """
    try:
        _, header = read_tensors(state)
    except StoreError:
        if state.exists():
            raise
        return 0, 0
    return len(header["history"]), header.get("position", {}).get("steps", 0)


def differences(one: Path, other: Path) -> list[str]:
    """Compare two finished trainings.

    Parameters
    ----------
    one, other : Path
        Their folders.

    Returns
    -------
    list of str
        What is not the same; empty if everything is, but for the time it took.
    """
    left, right = (load_file(folder / "model.safetensors") for folder in (one, other))
    found = [name for name in left.keys() | right.keys() if not _equal(left, right, name)]
    histories = []
    for folder in (one, other):
        history = json.loads((folder / "result.json").read_text())["history"]
        histories.append([{**record, "seconds": 0} for record in history])
    return found + (["history"] if histories[0] != histories[1] else [])


def _equal(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor], name: str) -> bool:
    return name in left and name in right and torch.equal(left[name], right[name])


def main() -> None:
    """Run the benchmark.

    Raises
    ------
    SystemExit
        With status 1 if something differs.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--utterances", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--model", default="mind")
    parser.add_argument("--seed", type=int, default=0, help="of the instants")
    asked = parser.parse_args()
    out = sys.stdout
    with tempfile.TemporaryDirectory() as name:
        whole = write_job(
            Path(name), utterances=asked.utterances, epochs=asked.epochs, model=asked.model
        )
        out.write(f"left alone: {finish(whole):.1f} s\n")
        seconds = sum(
            record["seconds"]
            for record in json.loads((whole.folder / "result.json").read_text())["history"]
        )
        job = TrainingJob(**{**vars(whole), "folder": Path(name) / "killed"})
        generator = np.random.default_rng(asked.seed)
        done = 0
        while done < asked.kills:
            # one in five while the process starts
            at_start = done % 5 == 4
            after = generator.uniform(0, 2.0 if at_start else 1.6 * seconds / asked.kills)
            kill = kill_once(job, after=float(after), at_start=at_start)
            if kill is None:
                out.write(f"the training was done after {done} kills\n")
                break
            done += 1
            out.write(
                f"kill {done}: {kill.after:.2f} s after its "
                f"{'start' if at_start else 'first write'}; on disk {kill.epochs} epochs and "
                f"{kill.steps} steps{'; a file half written' if kill.half_written else ''}\n"
            )
            out.flush()
        out.write(f"finished: {finish(job):.1f} s\n")
        found = differences(whole.folder, job.folder)
        said = f"differ: {found}" if found else "the same bits"
        out.write(f"{done} kills; weights and history: {said}\n")
        left = sorted(path.name for path in job.folder.iterdir())
        out.write(f"left in the folder: {left}\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
