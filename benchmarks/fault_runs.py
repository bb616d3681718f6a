"""Tiny clips, and the steps of Winnow in groups of processes that can be killed at once."""

import csv
import hashlib
import multiprocessing
import os
import shutil
import signal
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pipeline.clip_pool
from pipeline.chain import Project
from pipeline.config import load_config
from pipeline.manifest import read_manifest
from pipeline.records import Clip, Segment
from pipeline.run_folder import load_run
from pipeline.workspace import Workspace

CLIPS, SECONDS, RATE = 12, 1.5, 16_000
SETTINGS: dict[str, Any] = {
    "extractors": {"covarep": {}},
    "words": {"alignment": "none", "asr": "none"},
    "model": {"name": "ef_lstm"},
    "training": {"seeds": [0], "max_epochs": 30, "patience": 30, "device": "cpu"},
    "jobs": 2,
    "wait_seconds": 300.0,
}


class LostError(Exception):
    """Something that was there is not, or is not what it was."""


def require(holds: bool, message: str) -> None:
    """Say what was lost, if something was."""
    if not holds:
        raise LostError(message)


def project_in(root: Path, **settings: Any) -> Project:
    """Open the workspace of the tiny clips."""
    return Project(workspace=Workspace(root=root), config=load_config(None, SETTINGS | settings))


def write_clips(folder: Path, *, count: int = CLIPS, seconds: float = SECONDS) -> None:
    """Write clips of a buzz each, with labels."""
    folder.mkdir(parents=True)
    n = np.arange(round(seconds * RATE)) / RATE
    rows = [["video", "label", "split"]]
    for number in range(count):
        pitch = 100 + 7 * number
        sound = sum(np.sin(2 * np.pi * pitch * k * n + k * k) / k for k in range(1, 20))
        sound = np.asarray(sound) * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * n))
        sound += 0.01 * np.random.default_rng(number).standard_normal(len(n))
        with wave.open(str(folder / f"{number:02}.wav"), "wb") as stream:
            stream.setnchannels(1)
            stream.setsampwidth(2)
            stream.setframerate(RATE)
            stream.writeframes((sound / np.abs(sound).max() * 2e4).astype("<i2").tobytes())
        place = "train" if number % 2 else ("valid" if number % 4 else "test")
        rows.append([f"{number:02}.wav", f"{(number % 7) - 3}", place])
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def act(action: str, root: Path, patience: float | None = None) -> None:
    """Do one step in a group of processes that can be killed at once."""
    os.setsid()
    if patience is not None:
        pipeline.clip_pool.PATIENCE_SECONDS, pipeline.clip_pool.PATIENCE_FACTOR = patience, 0.0
    project = project_in(root)
    if action == "ingest":
        project.ingest(root.parent / "videos")
    elif action == "extract":
        with project.locked("extract"):
            project.finish_extraction(project.extract(project.plan()))
    elif action == "train":
        project.train()


# a server that has everything imported
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__, "pipeline.clip_extraction"])


def start(action: str, root: Path, **more: Any) -> Any:
    """Start an action; what is imported is forked."""
    process = _FORKS.Process(target=act, args=(action, root), kwargs=more)
    process.start()
    return process


def finish(action: str, root: Path, **more: Any) -> float:
    """Do an action to its end; gives the seconds it took."""
    began = time.monotonic()
    process = start(action, root, **more)
    process.join()
    require(process.exitcode == 0, f"{action} ended with status {process.exitcode}")
    return time.monotonic() - began


def kill(process: Any) -> bool:
    """Kill a whole group with SIGKILL; false if it had ended."""
    alive = process.exitcode is None
    if alive:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            # it had not yet a group of its own
            process.kill()
    process.join()
    return alive and process.exitcode != 0


def await_more(process: Any, root: Path) -> bool:
    """Wait until an extraction has stored one more; false if it ends before."""
    there = len(stored(root))
    while process.exitcode is None:
        if len(stored(root)) > there:
            return True
        process.join(timeout=0.02)
    return False


def stored(root: Path) -> dict[str, str]:
    """Every stored sequence with the digest of its bytes."""
    place = Workspace(root=root).features
    return {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(place.glob("*/*/[!.]*.safetensors"))
    }


@dataclass(kw_only=True)
class Truth:
    """What undisturbed runs made, and how long they took."""

    root: Path
    features: dict[str, str]
    manifests: dict[str, list[Any]]
    predictions: bytes
    seconds: dict[str, float]

    @classmethod
    def make(cls, root: Path, *, train: bool = True) -> "Truth":
        """Do every step once, undisturbed.

        Parameters
        ----------
        root : Path
            A workspace that is not there, in a folder with ``videos``.
        train : bool
            Whether a model is trained, too.

        Returns
        -------
        Truth
            What there must be in the end.
        """
        seconds = {"ingest": finish("ingest", root), "extract": finish("extract", root)}
        # the first time code was imported and compiled
        shutil.rmtree(root.with_name("timed"), ignore_errors=True)
        seconds["ingest"] = finish("ingest", root.with_name("timed"))
        if train:
            shutil.rmtree(root / "features")
            seconds["extract"] = finish("extract", root)
            seconds["train"] = finish("train", root)
        return cls(
            root=root,
            features=stored(root),
            manifests=manifests(root),
            predictions=predictions(root) if train else b"",
            seconds=seconds,
        )

    def check(self, root: Path) -> int:
        """Verify what is there after a fault; gives how many sequences are stored."""
        damaged = project_in(root).store.verify()
        require(not damaged, "; ".join(damaged))
        there = stored(root)
        for path, digest in there.items():
            require(self.features.get(path) == digest, f"{path} is not what it was")
        return len(there)

    def check_features(self, root: Path) -> None:
        """Verify that every feature is there."""
        require(self.check(root) == len(self.features), "features are missing")

    def check_all(self, root: Path) -> None:
        """Verify that nothing is missing."""
        self.check_features(root)
        require(manifests(root) == self.manifests, "the manifests differ")


def manifests(root: Path) -> dict[str, list[Any]]:
    """Read what ingest wrote."""
    place = Workspace(root=root)
    return {
        "clips": read_manifest(place.clips, Clip),
        "cut": read_manifest(place.segments, Segment),
    }


def predictions(root: Path) -> bytes:
    """Read what the latest run predicts."""
    runs = Workspace(root=root).runs
    return (runs / load_run(runs).id / "predictions.csv").read_bytes()


def copy(truth: Truth, root: Path, *, without: tuple[str, ...]) -> Path:
    """Make a workspace like the undisturbed one, without some of its parts."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(truth.root, root)
    for name in without:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return root
