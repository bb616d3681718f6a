"""Accuracy and cost of the extractor ``openface``, printed as tables: ``make bench-facial``.

Agreement with OpenFace, coverage of stage videos and damaged media need the folder that
``WINNOW_REFERENCE`` names; what was rendered into the sample videos, speed and memory do not.
Cost is processor time on one core. Nothing is written but to a temporary folder.
"""

import argparse
import csv
import functools
import gzip
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.facial_cost import headed, memory_table, peak_memory, speed_table, verdict
from extractors.errors import ExtractorError
from extractors.face_rows import ROW_NAMES
from extractors.facial import FacialConfig, FacialExtractor, clip_faces
from extractors.media import Media

SAMPLES = Path(__file__).parents[1] / "sample_videos"
MEDIA = {".mp4", ".mov", ".mpg", ".wmv", ".avi", ".mkv", ".webm"}
# How the names of stage videos among the clips with OpenFace's output begin.
STAGE = "ted_"
STRIDES = (1, 2, 3)
# OpenFace's rows that count: it found the face, is sure, and the head is not turned away.
GOOD_CONFIDENCE, GOOD_YAW, GOOD_PITCH = 0.75, 35.0, 30.0
# Heads nearer to each other than this are the same person's.
SAME_FACE_MM = 100.0
FEWEST_FRAMES = 10
# The rendered yaw is that of the picture of the head; ours is relative to the camera's axes, and
# so also turns when the head slides sideways.
CENTRED_MM = 20.0
# How far apart two onsets of one blink may be, s.
ONSET = 0.1
Array = npt.NDArray[np.float64]


class Goal(NamedTuple):
    """A column, how much of OpenFace's must vary, and the least median correlation."""

    column: str
    spread: float
    least: float


TURNS = float(np.radians(1.5))
GOALS = (
    Goal("pose_Ry", TURNS, 0.95),
    Goal("pose_Rz", TURNS, 0.95),
    Goal("pose_Rx", TURNS, 0.85),
    Goal("gaze_angle_x", float(np.radians(2.0)), 0.80),
    Goal("AU45_r", 0.3, 0.85),
    Goal("AU12_r", 0.3, 0.87),
    Goal("AU26_r", 0.3, 0.75),
    Goal("AU25_r", 0.3, 0.70),
    Goal("AU01_r", 0.3, 0.70),
    Goal("AU02_r", 0.3, 0.66),
    Goal("AU06_r", 0.3, 0.75),
)
# Our column and the rendered track; the lips' gap is what AU25 is read from.
TRACKS = (
    ("mouth_opening", "mouth", 0.9),
    ("AU25_r", "mouth", 0.9),
    ("AU12_r", "smile", 0.9),
    ("pose_Ry", "yaw", 0.95),
)


class Clip(NamedTuple):
    """What we measured in a clip, a row per measured picture, and what it cost."""

    column: dict[str, Array]
    valid: npt.NDArray[np.bool_]
    start: Array
    milliseconds: float


@functools.cache
def measured(path: Path, stride: int = 1) -> Clip:
    """Measure the speaker of a clip.

    Parameters
    ----------
    path : Path
        A video.
    stride : int, optional
        Every how many pictures are measured.

    Returns
    -------
    Clip
        Cost in CPU milliseconds per picture of the video.
    """
    started = time.process_time()
    found = clip_faces(media=Media(path=path), config=FacialConfig(stride=stride))
    spent = time.process_time() - started
    rows = np.flatnonzero(found.chosen)
    picture, pictures = found.table.picture[rows], len(found.table.starts)
    values = np.zeros((pictures, len(ROW_NAMES) + 1))
    values[picture, :-1] = found.values[rows]
    values[picture, -1] = found.table.measures.mouth_opening[rows]
    valid = np.zeros(pictures, np.bool_)
    valid[picture] = found.valid[rows]
    column = dict(zip((*ROW_NAMES, "mouth_opening"), values.T, strict=True))
    return Clip(column, valid, found.table.starts, 1e3 * spent / (pictures * stride))


@functools.cache
def openface(clip: Path) -> dict[str, Array]:
    """Read OpenFace's output for a clip."""
    with gzip.open(clip.with_suffix(".csv.gz"), "rt") as stream:
        names, *rows = csv.reader(stream)
    return dict(zip((n.strip() for n in names), np.array(rows, float).T, strict=True))


def trusted(theirs: dict[str, Array]) -> npt.NDArray[np.bool_]:
    """Tell which of OpenFace's rows count."""
    good: npt.NDArray[np.bool_] = (
        (theirs["success"] == 1)
        & (theirs["confidence"] > GOOD_CONFIDENCE)
        & (np.abs(np.degrees(theirs["pose_Ry"])) < GOOD_YAW)
        & (np.abs(np.degrees(theirs["pose_Rx"])) < GOOD_PITCH)
    )
    return good


def same_pictures(clip: Path, stride: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Tell which of OpenFace's rows show the same picture as which of ours."""
    frame = openface(clip)["frame"].astype(int) - 1
    row = frame // stride
    theirs = np.flatnonzero((frame % stride == 0) & (row < len(measured(clip, stride).valid)))
    return theirs, row[theirs]


def correlation(ours: Array, theirs: Array) -> float:
    """Pearson's r; 0 where ours does not vary."""
    return float(np.corrcoef(ours, theirs)[0, 1]) if np.ptp(ours) > 0 else 0.0


@functools.cache
def agreement(clip: Path, stride: int = 1) -> dict[str, float]:
    """Correlate every column of a clip that varies, over the pictures that both call good.

    Parameters
    ----------
    clip : Path
        A video with OpenFace's output beside it.
    stride : int, optional
        Every how many pictures are measured.

    Returns
    -------
    dict of str to float
        Pearson's r over time, by column.
    """
    ours = measured(clip, stride)
    rows, own_rows = same_pictures(clip, stride)
    theirs = {name: values[rows] for name, values in openface(clip).items()}
    column = {name: values[own_rows] for name, values in ours.column.items()}
    depth = theirs["pose_Tz"]
    apart = [
        depth * column[axis] / np.maximum(column["pose_Tz"], 1.0) - theirs[axis]
        for axis in ("pose_Tx", "pose_Ty")
    ]
    good = trusted(theirs) & ours.valid[own_rows] & (np.hypot(*apart) < SAME_FACE_MM)
    if good.sum() <= FEWEST_FRAMES:
        return {}
    return {
        goal.column: correlation(column[goal.column][good], theirs[goal.column][good])
        for goal in GOALS
        if theirs[goal.column][good].std() >= goal.spread
    }


def agreement_table(clips: Sequence[Path]) -> tuple[Table, bool]:
    """Compare with OpenFace within every clip."""
    table = headed(
        f"r with OpenFace over time, {len(clips)} clips",
        *("column", "clips", "median", "quarter", "worst", "worst clip", "goal", ""),
    )
    good = []
    for goal in GOALS:
        r = {clip: agreement(clip)[goal.column] for clip in clips if goal.column in agreement(clip)}
        if not r:
            table.add_row(goal.column, "0", *"----", f">= {goal.least}", "")
            continue
        values = np.array(list(r.values()))
        median, quarter = np.median(values), np.quantile(values, 0.25)
        good.append(bool(median >= goal.least))
        numbers = (f"{median:.3f}", f"{quarter:.3f}", f"{values.min():.3f}")
        worst = min(r, key=lambda clip: r[clip]).stem[:14]
        goals = (f">= {goal.least:.2f}", verdict(good[-1]))
        table.add_row(goal.column, str(len(r)), *numbers, worst, *goals)
    table.caption = "Clips in which OpenFace's value varies, pictures that both call good."
    return table, all(good)


def stride_table(clips: Sequence[Path]) -> tuple[Table, bool]:
    """Compare with OpenFace when pictures are left out."""
    names = [goal.column.removeprefix("pose_").removeprefix("gaze_") for goal in GOALS]
    table = headed("Median r by stride", "stride", "ms / picture", *names)
    stage = [clip for clip in clips if clip.stem.startswith(STAGE)] or clips
    for stride in STRIDES:
        cost = float(np.mean([measured(clip, stride).milliseconds for clip in stage]))
        found = [agreement(clip, stride) for clip in clips]
        medians = [
            float(np.median([r[goal.column] for r in found if goal.column in r] or [np.nan]))
            for goal in GOALS
        ]
        table.add_row(str(stride), f"{cost:.2f}", *(f"{median:.3f}" for median in medians))
    table.caption = "CPU ms per picture of the stage videos, decoding and sound included."
    return table, True


def onsets(active: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Where something begins."""
    return np.flatnonzero(active[1:] & ~active[:-1]) + 1


def f1_score(ours: Array, theirs: Array, *, tolerance: float) -> float:
    """F1 of events in time, each of which stands for one of the others at most.

    Parameters
    ----------
    ours, theirs : ndarray, shapes (N,) and (M,)
        Times, increasing.
    tolerance : float
        Greatest distance of two events that are the same.

    Returns
    -------
    float
        In [0, 1]; 1 without any event on either side.
    """
    if not len(ours) + len(theirs):
        return 1.0
    hits, mine, other = 0, 0, 0
    while mine < len(ours) and other < len(theirs):
        apart = ours[mine] - theirs[other]
        hits += abs(apart) <= tolerance
        # of two that differ, the earlier one has no partner
        mine += apart <= tolerance
        other += apart >= -tolerance
    return 2.0 * hits / (len(ours) + len(theirs))


def truth_scores(video: Path) -> list[float]:
    """Score a sample video: F1 of blinks, then r of every track."""
    ours = measured(video)
    path = video.parent / "truth" / f"{video.stem}.json"
    truth = {k: np.array(v, float) for k, v in json.loads(path.read_text())["frames"].items()}
    seen = ours.valid & (truth["face_visible"] == 1)
    blinks = (ours.column["AU45_r"] > 1.0, truth["blink"] > 0.5)
    times = [truth["time"][seen][onsets(active[seen])] for active in blinks]
    sideways = ours.column["pose_Tx"] - np.median(ours.column["pose_Tx"][seen])
    seen &= np.abs(sideways) < CENTRED_MM
    return [
        f1_score(*times, tolerance=ONSET),
        *(correlation(ours.column[name][seen], truth[track][seen]) for name, track, _ in TRACKS),
    ]


def truth_table(videos: Sequence[Path]) -> tuple[Table, bool]:
    """Compare with what was rendered into the sample videos."""
    labels = [f"{track}\n{name}" for name, track, _ in TRACKS]
    table = headed("Against the sample videos' truth", "video", "blinks\nF1", *labels)
    scores = np.array([truth_scores(video) for video in videos])
    for video, row in zip(videos, scores, strict=True):
        table.add_row(video.stem, *(f"{score:.3f}" for score in row))
    least = np.array([0.9, *(goal for *_, goal in TRACKS)])
    table.add_section()
    for label, row in (("least", scores.min(axis=0)), ("median", np.median(scores, axis=0))):
        table.add_row(label, *(f"{score:.3f}" for score in row))
    reached = scores.min(axis=0) > least
    table.add_row("goal for each", *(f"> {goal:g}" for goal in least))
    table.add_row("", *(verdict(bool(one)) for one in reached))
    return table, bool(reached.all())


def coverage_table(clips: Sequence[Path]) -> tuple[Table, bool]:
    """Compare shares of pictures of stage videos."""
    headings = ("theirs: success", "good", "ours: measured", "valid", "valid of theirs good", "")
    table = headed("Share of pictures with a face", "clip", *headings)
    good = []
    for clip in clips:
        ours = measured(clip)
        shares = [float((ours.column["confidence"] > 0).mean()), float(ours.valid.mean())]
        if not clip.with_suffix(".csv.gz").exists():
            table.add_row(clip.stem, "-", "-", *(f"{share:.3f}" for share in shares), "-", "")
            continue
        rows, own_rows = same_pictures(clip, 1)
        success, best = openface(clip)["success"], trusted(openface(clip))
        both = float(ours.valid[own_rows][best[rows]].mean())
        good.append(shares[1] >= round(float(success.mean()), 2))
        numbers = (success.mean(), best.mean(), *shares, both)
        table.add_row(clip.stem, *(f"{number:.3f}" for number in numbers), verdict(good[-1]))
    table.caption = "Goal: ours valid in as many pictures as theirs succeed in, to two decimals."
    return table, all(good)


def odd_table(files: Sequence[Path]) -> tuple[Table, bool]:
    """Try media that are damaged, turned, silent or without a face."""
    table = headed("Odd media", "file", "rows", "valid", "error")
    for path in files:
        try:
            found = FacialExtractor().extract(Media(path=path))
        except ExtractorError as error:
            table.add_row(path.name, "-", "-", error.code)
            continue
        share = found.valid.mean() if len(found) else 0.0
        table.add_row(path.name, str(len(found)), f"{share:.3f}", "")
    return table, True


def reference_files(folder: str) -> tuple[list[Path], ...]:
    """Clips with OpenFace's output, stage videos and odd media of the reference folder."""
    compared = sorted(p for p in Path(folder, "reference", "facial").glob("*") if p.suffix in MEDIA)
    stage = sorted(p for p in Path(folder, "clips", "ted").glob("*") if p.suffix in MEDIA)
    odd = sorted(p for p in Path(folder, "clips", "edge").glob("*") if p.suffix in MEDIA)
    return compared, [p for p in compared if p.stem.startswith(STAGE)] + stage, odd


def main() -> int:
    """Print the tables.

    Returns
    -------
    int
        0 if every goal was reached, for the exit status.
    """
    choices = ("agreement", "truth", "coverage", "speed", "memory", "stride", "odd")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=choices, default=choices, help="which tables")
    parser.add_argument("--quick", action="store_true", help="three files a table, one round")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        sys.stdout.write(f"{peak_memory(arguments.memory_of)}\n")
        return 0
    most, rounds = (3, 1) if arguments.quick else (None, 3)
    samples = sorted(SAMPLES.glob("*.mp4"))
    folder = os.environ.get("WINNOW_REFERENCE")
    compared, stage, odd = reference_files(folder) if folder else ([], [], [])
    tables = {
        "agreement": (compared, agreement_table),
        "truth": (samples, truth_table),
        "coverage": (stage, coverage_table),
        "speed": ([*stage[:3], *samples[:1]], lambda clips: speed_table(clips, rounds)),
        "memory": (samples[:1], lambda clips: memory_table(clips[0])),
        "stride": (compared, stride_table),
        "odd": (odd, odd_table),
    }
    console, good = Console(), []
    with threadpool_limits(limits=1):
        for name in arguments.only:
            files, table_of = tables[name]
            if not files:
                console.print(f"{name}: needs WINNOW_REFERENCE")
                continue
            table, reached = table_of(files[:most])
            console.print(table)
            good.append(reached)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
