"""A month of retrainings in fast time: ``make month``; a line a day, and what must hold.

The clips are made up: features that carry their label under noise. As the days go by the features
get better; on some days nothing comes, or too little, on some the labels are wrong, and once clips
are taken away. What is trained, compared, promoted and cleaned up is what a schedule does.
"""

import hashlib
import math
import shutil
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from cyclopts import run
from rich.console import Console
from rich.table import Table

from extractors.sequence import FeatureSequence
from pipeline.chain import Project
from pipeline.champion import Champion
from pipeline.clip_names import clip_names
from pipeline.config import load_config
from pipeline.leftovers import size_of
from pipeline.maintenance import maintain
from pipeline.manifest import write_manifest
from pipeline.records import Clip, Segment
from pipeline.retraining import Retraining, retrain
from pipeline.run_folder import load_run, selected_on
from pipeline.runs import predict_run
from pipeline.splits import Split, make_split
from pipeline.workspace import Workspace

COLUMNS, RATE, UTTERANCES = 33, 10, 2
KEPT_RUNS = 4
SETTINGS: dict[str, Any] = {
    "extractors": {"librosa33": {}},
    "model": {"name": "ef_lstm"},
    "training": {"seeds": [0, 1], "max_epochs": 12, "device": "cpu"},
    "retraining": {"min_new_clips": 4},
    "maintenance": {"keep_runs": KEPT_RUNS, "grace_days": 0.0, "interrupted_days": 0.0},
}
SHARES = {"train": 0.7, "valid": 0.2, "test": 0.1}
#: Of new clips: how many, how noisy their features are; labels as they are, or turned round.
COMING = {
    1: (30, 5.0, True), 3: (8, 3.0, True), 4: (10, 2.0, True), 5: (2, 1.0, True),
    6: (12, 1.0, True), 8: (20, 0.6, True), 9: (20, 0.5, True), 11: (90, 0.5, False),
    13: (20, 0.5, True), 14: (20, 0.5, True), 15: (15, 0.5, True), 16: (3, 0.5, True),
    17: (20, 0.5, True), 18: (15, 0.5, True), 20: (150, 0.5, False), 22: (20, 0.5, True),
    23: (20, 0.5, True), 25: (20, 0.5, True), 26: (20, 0.5, True), 28: (20, 0.5, True),
    29: (20, 0.5, True),
}  # fmt: skip
#: Clips that the label file gives to the test split.
TESTING = {1: 50, 15: 20}
TEST_NOISE = 0.5
#: The labels that were wrong are put right on the day after; on this day clips are taken away.
CORRECTED = {12, 21}
TAKEN_AWAY = {24: 30}
#: By how much the champion's error on clips that nobody has seen may vary without being worse.
NOISE = 0.08


class BrokenError(Exception):
    """Something that must hold does not."""


def require(holds: bool, message: str) -> None:
    """Say what does not hold."""
    if not holds:
        raise BrokenError(message)


@dataclass
class Clips:
    """A workspace as ingest and extraction leave it."""

    project: Project
    clips: dict[str, Clip] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    wrong: dict[str, Segment] = field(default_factory=dict)
    testing: list[str] = field(default_factory=list)
    made: int = 0

    def add(
        self, count: int, *, noise: float, right: bool = True, world: int = 0, test: bool = False
    ) -> None:
        """Add clips; where labels are not right, the true segments are kept aside."""
        for number in range(self.made, self.made + count):
            self._add(np.random.default_rng([world, number]), f"{world} {number}", noise, right)
            if test:
                self.testing.append(next(reversed(self.clips)))
        self.made += count

    def _add(self, generator: np.random.Generator, name: str, noise: float, right: bool) -> None:
        clip = Clip(
            id=hashlib.sha256(name.encode()).hexdigest(), path=f"/none/{name}.wav",
            duration=float(UTTERANCES), fps=None, sample_rate=16000, size=1, modified_ns=1,
        )  # fmt: skip
        values = np.zeros((RATE * UTTERANCES, COLUMNS), np.float32)
        for place in range(UTTERANCES):
            label = round(float(np.clip(generator.normal() * 1.5, -3, 3)), 2)
            rows = slice(RATE * place, RATE * (place + 1))
            values[rows] = generator.standard_normal((RATE, COLUMNS)) * noise + 0.3 * label
            segment = Segment(
                id=f"{clip.id[:16]}:{place:.3f}-{place + 1:.3f}", clip_id=clip.id,
                start=place, end=place + 1, text="", label=label,
            )  # fmt: skip
            if not right:
                self.wrong[segment.id] = segment
                segment = replace(segment, label=-label)
            self.segments[segment.id] = segment
        self.clips[clip.id], self.values[clip.id] = clip, values

    def correct(self) -> None:
        """Put labels right."""
        self.segments |= self.wrong
        self.wrong.clear()

    def take_away(self, count: int, *, keep: set[str]) -> None:
        """Take the oldest clips away, but for some."""
        for clip_id in [name for name in self.clips if name not in keep][:count]:
            del self.clips[clip_id], self.values[clip_id]
            self.segments = {k: s for k, s in self.segments.items() if s.clip_id != clip_id}

    def write(self) -> None:
        """Write manifests and features, as ingest and extraction do."""
        workspace = self.project.workspace
        write_manifest(workspace.clips, self.clips.values())
        write_manifest(workspace.segments, self.segments.values())
        write_manifest(workspace.failures, [])
        self._split().save(workspace.split)
        for job in self.project.plan().jobs:
            values = self.values[job.clip.id]
            start = np.arange(len(values)) / RATE
            sequence = FeatureSequence(
                values=values,
                times=np.stack([start, start + 1 / RATE], axis=1),
                names=tuple(f"c{number}" for number in range(COLUMNS)),
                valid=np.ones(len(values), np.bool_),
            )
            for key in job.missing.values():
                self.project.store.put(key, sequence)

    def _split(self) -> Split:
        """Divide as ingest does: what the label file gives, and a draw of the rest."""
        given = set(self.testing)
        rest = [s for s in self.segments.values() if s.clip_id not in given]
        tests = tuple(s.id for s in self.segments.values() if s.clip_id in given)
        drawn = make_split(rest, shares=SHARES, seed=0)
        names = tuple(clip_id[:16] for clip_id in self.testing)
        return replace(drawn, test=drawn.test + tests, source="given", given=names)


@dataclass(kw_only=True)
class Day:
    """What a night's retraining and maintenance did."""

    number: int
    what: str
    done: Retraining
    unseen: float
    before: int
    after: int
    features: int


def champion_error(project: Project, world: Project) -> float:
    """Measure the champion's MAE on clips that are in no workspace of it."""
    dataset, _ = world.pack()
    found = predict_run(
        runs_folder=project.workspace.runs, run="champion", dataset=dataset, device="cpu"
    )
    return float(np.mean(np.abs(found.mean - dataset.labels.numpy())))


def frozen(project: Project) -> set[str]:
    """Name the clips that test."""
    test = Champion.load(project.workspace).test
    return set(test.clips) if test else set()


def live(day: int, here: Clips, world: Project) -> Day:
    """Let a day's clips come, retrain and clean up; check what must hold."""
    what = "nothing"
    if day in COMING:
        count, noise, right = COMING[day]
        here.add(count, noise=noise, right=right)
        what = f"{count} clips, noise {noise:g}" + ("" if right else ", labels wrong")
    if day in TESTING:
        here.add(TESTING[day], noise=TEST_NOISE, test=True)
        what += f"; {TESTING[day]} to test"
    if day in CORRECTED:
        here.correct()
        what = "labels put right"
    if day in TAKEN_AWAY:
        tested = frozen(here.project)
        keep = {clip for clip in here.clips if clip[:16] in tested}
        here.take_away(TAKEN_AWAY[day], keep=keep)
        what = f"{TAKEN_AWAY[day]} clips taken away"
    if what != "nothing":
        here.write()
    project, tested = here.project, frozen(here.project)
    done = retrain(project)
    require(tested <= frozen(project), f"day {day}: the frozen test has lost clips")
    for name in filter(None, (done.candidate, done.champion)):
        seen = set(clip_names(selected_on(project.workspace.runs, name)))
        require(not seen & frozen(project), f"day {day}: {name} has learned from test clips")
    if done.outcome == "promoted":
        require(done.comparison is not None, f"day {day}: promoted without a comparison")
    kept = maintain(project)
    require(load_run(project.workspace.runs, "champion").id == done.champion, "champion is gone")
    require(not project.plan().jobs, f"day {day}: features in use are gone")
    return Day(
        number=day,
        what=what,
        done=done,
        unseen=champion_error(project, world),
        before=kept.before,
        after=kept.after,
        features=size_of(project.workspace.features),
    )


def check(days: list[Day]) -> None:
    """Check the month as a whole."""
    outcomes = {day.number: day.done.outcome for day in days}
    for day in days:
        idle = day.number not in COMING.keys() | CORRECTED | TAKEN_AWAY.keys()
        require(outcomes[day.number] == "unchanged" or not idle, f"day {day.number}: nothing came")
        if day.number in COMING:
            count, _, right = COMING[day.number]
            require(right or outcomes[day.number] == "refused", f"day {day.number}: not refused")
            few = count < SETTINGS["retraining"]["min_new_clips"]
            require(not few or outcomes[day.number] == "too_few_new", f"day {day.number}: few")
    best = math.inf
    for day in days:
        require(day.unseen < best + NOISE, f"day {day.number}: the champion has got worse")
        best = min(best, day.unseen)
    require(days[-1].unseen < days[0].unseen, "a month's data made no better champion")
    require("promoted" in outcomes.values(), "nothing was promoted")
    runs = [day.after - day.features for day in days]
    third = len(runs) // 3
    growth = max(runs[-third:]) / max(runs[third:-third])
    require(growth < 1.15, f"besides the features the workspace grew {growth:.2f} times")


def month(*, days: int = 30, folder: Path | None = None) -> None:
    """Live a month, print a line a day, and end with status 1 if something does not hold.

    Parameters
    ----------
    days : int
        How many, 1 to 30; the month as a whole is checked with all of them.
    folder : Path
        Where the workspace is made; without it a temporary folder.
    """
    # beside a file a table has room
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 170)
    with TemporaryDirectory(prefix="winnow-month-") as temporary:
        place = (folder or Path(temporary)) / "month"
        shutil.rmtree(place, ignore_errors=True)
        config = load_config(None, SETTINGS)
        here = Clips(Project(workspace=Workspace(root=place / "work"), config=config))
        world = Clips(Project(workspace=Workspace(root=place / "world"), config=config))
        world.add(200, noise=TEST_NOISE, world=1)
        world.write()
        lived, began = [], time.monotonic()
        for number in range(1, days + 1):
            day = live(number, here, world.project)
            lived.append(day)
            console.print(f"day {number}: {day.what}: {day.done}", highlight=False, markup=False)
        console.print(_table(lived))
        console.print(f"{time.monotonic() - began:.0f} s")
        if days == max(COMING) + 1:
            check(lived)
            console.print("all of what must hold does")


def _table(days: list[Day]) -> Table:
    table = Table(
        *("day", "what came", "outcome", "frozen test", "MAE there: champion > candidate"),
        *("MAE on unseen clips", "MB", "after maintenance", "of it features"),
        title="A month",
    )
    for day in days:
        comparison = day.done.comparison
        test = ""
        if comparison is not None:
            gain = f"[{comparison.interval.low:+.3f}, {comparison.interval.high:+.3f}]"
            test = f"{comparison.champion:.3f} > {comparison.candidate:.3f}, gain {gain}"
        sizes = (f"{size / 1e6:.2f}" for size in (day.before, day.after, day.features))
        table.add_row(
            str(day.number),
            day.what,
            day.done.outcome,
            f"v{day.done.test_version}",
            test,
            f"{day.unseen:.3f}",
            *sizes,
        )
    return table


if __name__ == "__main__":
    try:
        run(month)
    except BrokenError as error:
        sys.exit(f"does not hold: {error}")
