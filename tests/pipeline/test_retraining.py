import hashlib
import json
import logging
import math
import time
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from extractors.sequence import FeatureSequence
from pipeline.chain import Project
from pipeline.champion import Champion, set_champion
from pipeline.clip_names import clip_names
from pipeline.config import load_config
from pipeline.frozen_test import frozen_split
from pipeline.manifest import write_manifest
from pipeline.records import Clip, Segment
from pipeline.retraining import retrain
from pipeline.run_folder import discard_run, load_run, selected_on, utterances_tested
from pipeline.splits import Split, make_split
from pipeline.workspace import Workspace

SHARES = {"train": 0.6, "valid": 0.15, "test": 0.25}
SETTINGS = {
    "extractors": {"librosa33": {}},
    "model": {"name": "masked_mean"},
    "training.max_epochs": 3,
    "training.batch_size": 16,
    "training.min_batch": 2,
    "training.learning_rate": 0.02,
    "training.device": "cpu",
    "training.seeds": [0, 1],
}


@dataclass
class Folder:
    """A workspace as ingest and extraction leave it, of clips that were never recorded."""

    project: Project
    noise: float = 1.0
    clips: dict = field(default_factory=dict)
    segments: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)
    given: dict = field(default_factory=dict)

    def set(self, **settings):
        """Other settings from now on."""
        names = {name.replace("__", "."): value for name, value in settings.items()}
        self.project = replace(self.project, config=load_config(None, SETTINGS | names))

    def add(self, count, *, label=True, noise=None, split=None, utterances=2):
        """Add clips; their features carry the label under noise."""
        first = len(self.clips)
        numbers = range(first, first + count)
        for number in numbers:
            self._add(number, label, self.noise if noise is None else noise, utterances)
            if split:
                self.given[self.name(number)] = split
        self.write()
        self.extract()
        return [self.name(number) for number in numbers]

    def name(self, number):
        return list(self.clips)[number][:16]

    def _add(self, number, label, noise, utterances):
        generator = np.random.default_rng(number)
        clip = Clip(
            id=hashlib.sha256(str(number).encode()).hexdigest(), path=f"/none/{number}.wav",
            duration=float(utterances), fps=None, sample_rate=16000, size=1, modified_ns=1,
        )  # fmt: skip
        self.clips[clip.id] = clip
        values = np.zeros((10 * utterances, 33), np.float32)
        for place in range(utterances):
            score = round(float(np.clip(generator.normal() * 1.5, -3, 3)), 2)
            rows = slice(10 * place, 10 * place + 10)
            values[rows] = generator.standard_normal((10, 33)) * noise + 0.3 * score
            name = f"{clip.id[:16]}:{place:.3f}-{place + 1:.3f}"
            self.segments[name] = Segment(
                id=name, clip_id=clip.id, start=place, end=place + 1, text="",
                label=score if label else None,
            )  # fmt: skip
        self.values[clip.id] = values

    def extract(self):
        """Store what is missing."""
        for job in self.project.plan().jobs:
            values = self.values[job.clip.id]
            start = np.arange(len(values)) / 10
            sequence = FeatureSequence(
                values=values,
                times=np.stack([start, start + 0.1], axis=1),
                names=tuple(f"c{number}" for number in range(values.shape[1])),
                valid=np.ones(len(values), np.bool_),
            )
            for key in job.missing.values():
                self.project.store.put(key, sequence)

    def write(self):
        workspace = self.project.workspace
        write_manifest(workspace.clips, self.clips.values())
        write_manifest(workspace.segments, self.segments.values())
        write_manifest(workspace.failures, [])
        drawn = [s for s in self.segments.values() if s.id[:16] not in self.given]
        split = make_split(drawn, shares=SHARES, seed=0)
        places = {name: list(getattr(split, name)) for name in SHARES}
        for segment in self.segments.values():
            if segment.id[:16] in self.given:
                places[self.given[segment.id[:16]]].append(segment.id)
        named = {name: tuple(ids) for name, ids in places.items()}
        Split(**named, source="given", given=tuple(self.given)).save(workspace.split)

    @property
    def champion(self):
        return Champion.load(self.project.workspace)

    @property
    def history(self):
        return [decision.outcome for decision in self.champion.history]

    def runs(self):
        return {path.parent.name for path in self.project.workspace.runs.glob("*/report.json")}


@pytest.fixture
def folder(tmp_path, masked_mean):
    config = load_config(None, SETTINGS)
    return Folder(Project(workspace=Workspace(root=tmp_path / "work"), config=config))


def places(folder):
    split = frozen_split(folder.project.workspace)
    return {clip: on for on in SHARES for clip in clip_names(getattr(split, on))}


def test_better_data_are_promoted_and_worse_refused(folder, caplog):
    caplog.set_level(logging.INFO, logger="pipeline.retraining")
    folder.add(16, noise=6.0)
    folder.add(24, noise=0.3, split="test")
    first = retrain(folder.project)
    assert (first.outcome, first.champion, first.beaten) == ("first", first.candidate, None)
    assert load_run(folder.project.workspace.runs, "champion").id == first.candidate

    folder.add(60, noise=0.3)
    better = retrain(folder.project)
    assert better.outcome == "promoted"
    assert (better.champion, better.beaten) == (better.candidate, first.candidate)
    assert better.comparison.interval.low > 0
    assert better.comparison.improvement > 0

    # hardly trained at all
    folder.set(training__max_epochs=1, training__learning_rate=1e-9)
    worse = retrain(folder.project)
    assert worse.outcome == "refused"
    assert worse.comparison.interval.high < 0
    assert worse.champion == folder.champion.run == better.candidate
    assert "not better beyond noise" in worse.reasons

    assert folder.history == ["first", "promoted", "refused"]
    workspace = folder.project.workspace
    for decision in folder.champion.history[1:]:
        for page in (decision.candidate_report, decision.champion_report):
            assert (workspace.root / page).is_file()
    told = [r.message for r in caplog.records if r.message.startswith("retraining: ")]
    assert sum("a candidate is trained" in line for line in told) == 2
    assert len(told) == 5

    forced = retrain(folder.project, force=True)
    assert (forced.outcome, forced.champion) == ("promoted", worse.candidate)
    assert forced.reasons[0] == "forced"
    assert folder.champion.previous == better.candidate


def test_the_comparison_is_that_of_the_reports(folder):
    folder.add(30)
    retrain(folder.project)
    folder.add(20)
    done = retrain(folder.project)
    runs = folder.project.workspace.runs
    candidate, champion = (load_run(runs, run) for run in (done.candidate, done.beaten))
    comparison = done.comparison
    assert comparison.candidate == pytest.approx(candidate.ensemble["test"].mae, abs=1e-6)
    assert comparison.champion == pytest.approx(champion.ensemble["test"].mae, abs=1e-6)
    assert comparison.improvement == pytest.approx(comparison.champion - comparison.candidate)
    assert comparison.utterances == candidate.ensemble["test"].n
    assert comparison.champion_from == "the features of today"


def test_nothing_changed(folder):
    folder.add(20)
    done = retrain(folder.project)
    written = folder.project.workspace.champion.read_bytes()
    runs = folder.runs()
    started = time.perf_counter()
    for force in (False, True):
        again = retrain(folder.project, force=force)
        assert (again.outcome, again.champion) == ("unchanged", done.champion)
        assert again.candidate is None
    assert time.perf_counter() - started < 1.0
    # unlabelled clips and test clips teach this model nothing
    folder.add(3, label=False)
    folder.add(2, split="test")
    assert retrain(folder.project).outcome == "unchanged"
    assert folder.project.workspace.champion.read_bytes() == written
    assert folder.runs() == runs


def test_few_new_clips_wait(folder):
    folder.set(retraining__min_new_clips=5)
    folder.add(20)
    retrain(folder.project)
    folder.add(3)
    folder.add(9, label=False)
    few = retrain(folder.project)
    assert few.outcome == "too_few_new"
    assert few.reasons == ("3 clips new since the last decision, 5 are awaited",)
    folder.add(2)
    assert retrain(folder.project).trained
    assert folder.history[0] == "first"
    assert len(folder.history) == 2
    # corrected labels do not wait
    name = next(n for n, s in folder.segments.items() if places(folder).get(n[:16]) == "train")
    folder.segments[name] = replace(folder.segments[name], label=-2.5)
    folder.write()
    assert retrain(folder.project).trained


def test_unlabelled_clips_feed_a_model_that_takes_them_along(folder):
    folder.set(training__split_rate=1)
    folder.add(20)
    folder.add(3, label=False)
    first = retrain(folder.project)
    assert retrain(folder.project).outcome == "unchanged"
    folder.add(1, label=False)
    second = retrain(folder.project)
    assert second.trained
    assert second.candidate != first.candidate


def test_the_test_split_is_frozen_while_the_data_grow(folder):
    folder.add(30)
    retrain(folder.project)
    before = places(folder)
    test = {clip for clip, on in before.items() if on == "test"}
    assert set(folder.champion.test.clips) == test

    folder.add(40)
    after = places(folder)
    drawn = Split.load(folder.project.workspace.split)
    assert len(set(clip_names(drawn.test)) - test) > 3
    assert {clip for clip, on in after.items() if on == "test"} == test
    assert {clip: after[clip] for clip in before} == before
    done = retrain(folder.project)
    assert done.test_version == 1
    assert not set(clip_names(selected_on(folder.project.workspace.runs, done.candidate))) & test

    # what the label file names for testing makes a new version, unless it was learned from
    learned = [clip for clip, on in after.items() if on == "train"][:2]
    folder.given |= dict.fromkeys(learned, "test")
    folder.given[next(iter(test))] = "train"
    new = folder.add(2, split="test")
    folder.add(3, split="train")
    third = retrain(folder.project)
    assert third.test_version == 2
    assert set(folder.champion.test.clips) == test | set(new)
    assert third.comparison.clips == len(test) + 2
    later = places(folder)
    assert {later[clip] for clip in learned} == {"train"}
    assert later[next(iter(test))] == "test"


def test_a_run_on_the_whole_workspace_keeps_the_frozen_test_split(folder):
    folder.add(30)
    retrain(folder.project)
    folder.add(30)
    report = folder.project.train()
    assert set(clip_names(utterances_tested(folder.project.workspace.runs, report.id))) == set(
        folder.champion.test.clips
    )
    assert folder.project.evaluate(run="champion").metrics.keys() == {
        "seed 0",
        "seed 1",
        "ensemble",
    }


def test_the_way_back(folder):
    folder.add(20)
    first = retrain(folder.project).champion
    folder.add(20)
    second = retrain(folder.project, force=True).champion
    assert second != first
    assert folder.champion.previous == first
    set_champion(folder.project.workspace, first)
    assert (folder.champion.run, folder.champion.previous) == (first, second)
    # what was taken back does not come again by itself
    assert retrain(folder.project).outcome == "unchanged"
    folder.add(10)
    assert retrain(folder.project).beaten == first
    assert folder.history[:3] == ["first", "promoted", "set"]


def test_killed_in_between(folder, monkeypatch):
    folder.add(20)
    retrain(folder.project)
    folder.add(20)

    def die(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrain(folder.project, on_epoch=die)
    epochs = []
    with monkeypatch.context() as patched:
        patched.setattr(Champion, "save", die)
        with pytest.raises(KeyboardInterrupt):
            retrain(folder.project, on_epoch=lambda seed, record: epochs.append(record.epoch))
    assert epochs == [1, 2, 0, 1, 2]
    assert folder.history == ["first"]
    done = retrain(folder.project, on_epoch=die)
    assert done.trained
    assert retrain(folder.project, on_epoch=die).outcome == "unchanged"
    assert folder.history == ["first", done.outcome]
    assert len(folder.runs()) == 2


def test_features_that_the_champion_cannot_read(folder):
    folder.add(30)
    first = retrain(folder.project).champion
    folder.set(extractors={"covarep": {}})
    folder.values = {clip: values[:, :20] for clip, values in folder.values.items()}
    folder.extract()
    done = retrain(folder.project)
    assert done.comparison.champion_from == "its stored predictions"
    stored = load_run(folder.project.workspace.runs, first).ensemble["test"].mae
    assert done.comparison.champion == pytest.approx(stored, abs=1e-5)
    assert any("cannot read the features of today" in reason for reason in done.reasons)


def test_a_champion_whose_folder_is_gone(folder):
    folder.add(20)
    first = retrain(folder.project).champion
    discard_run(folder.project.workspace.runs, first)
    folder.add(10)
    done = retrain(folder.project)
    assert done.outcome == "first"
    assert f"the run of champion {first} is gone" in done.reasons
    assert folder.champion.test.version == 1


def test_a_training_that_diverges_is_refused_once(folder):
    folder.add(20)
    first = retrain(folder.project).champion
    folder.set(training__learning_rate=1e30, training__gradient_clip=None)
    done = retrain(folder.project)
    assert (done.outcome, done.champion, done.comparison) == ("refused", first, None)
    assert folder.champion.history[-1].candidate_report is None
    assert retrain(folder.project).outcome == "unchanged"


def test_one_test_clip_tells_nothing_of_noise(folder):
    folder.add(12, split="train")
    folder.add(3, split="valid")
    folder.add(1, split="test")
    retrain(folder.project)
    folder.add(10, split="train")
    done = retrain(folder.project)
    assert done.outcome == "refused"
    assert math.isnan(done.comparison.interval.low)
    assert json.loads(folder.project.workspace.champion.read_text())["history"][1]["comparison"]
    assert math.isnan(folder.champion.history[1].comparison.interval.low)


def test_two_processes_decide_once(folder):
    """The second comes to its decision when the first has written its own."""
    folder.add(20)
    retrain(folder.project)
    folder.add(10)
    inner = []

    def other(seed, record):
        if not inner:
            inner.append(None)
            inner[0] = retrain(folder.project)

    done = retrain(folder.project, on_epoch=other)
    assert done == inner[0]
    assert len(folder.history) == 2
