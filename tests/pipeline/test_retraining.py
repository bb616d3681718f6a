import copy
import logging
import shutil
import time
from dataclasses import replace

import pytest

from pipeline.champion import Champion, set_champion
from pipeline.clip_names import clip_names
from pipeline.errors import RunError
from pipeline.frozen_test import frozen_split
from pipeline.retraining import retrain
from pipeline.run_folder import discard_run, load_run, selected_on, utterances_tested
from pipeline.splits import Split
from pipeline.workspace import Workspace
from tests.pipeline.growing_folder import SHARES, empty


@pytest.fixture
def folder(tmp_path):
    """No clips yet."""
    return empty(tmp_path / "work")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Thirty clips and a champion; to be copied."""
    made = empty(tmp_path_factory.mktemp("first") / "work")
    made.add(30)
    assert retrain(made.project).outcome == "first"
    return made


@pytest.fixture
def champion(first, tmp_path):
    """The folder of the first champion, of the test's own."""
    root = tmp_path / "work"
    shutil.copytree(first.project.workspace.root, root)
    own = copy.deepcopy(first)
    own.project = replace(own.project, workspace=Workspace(root=root))
    return own


def places(folder):
    split = frozen_split(folder.project.workspace)
    return {clip: on for on in SHARES for clip in clip_names(getattr(split, on))}


@pytest.mark.slow
def test_better_data_are_promoted_and_worse_refused(folder, caplog):
    caplog.set_level(logging.INFO, logger="pipeline.retraining")
    folder.add(16, noise=6.0)
    folder.add(24, noise=0.3, split="test")
    first = retrain(folder.project)
    assert (first.outcome, first.champion, first.beaten) == ("first", first.candidate, None)
    workspace = folder.project.workspace
    assert load_run(workspace.runs, "champion").id == first.candidate

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
    for decision in folder.champion.history[1:]:
        for page in (decision.candidate_report, decision.champion_report):
            assert (workspace.root / page).is_file()
    told = [r.message for r in caplog.records if r.message.startswith("retraining: ")]
    assert sum("a candidate is trained" in line for line in told) == 2
    assert len(told) == 5

    # by force, and back again
    forced = retrain(folder.project, force=True)
    assert (forced.outcome, forced.champion) == ("promoted", worse.candidate)
    assert forced.reasons[0] == "forced"
    assert folder.champion.previous == better.candidate
    assert len(folder.runs()) == 3
    set_champion(workspace, better.candidate)
    # what was taken back does not come again by itself
    assert retrain(folder.project).outcome == "unchanged"
    assert retrain(folder.project, force=True).champion == better.candidate
    assert folder.history == ["first", "promoted", "refused", "promoted", "set"]


def test_nothing_changed(champion):
    written = champion.project.workspace.champion.read_bytes()
    runs = champion.runs()
    started = time.process_time()
    for force in (False, True):
        again = retrain(champion.project, force=force)
        assert (again.outcome, again.champion) == ("unchanged", champion.champion.run)
        assert again.candidate is None
    assert time.process_time() - started < 1.0
    # unlabelled clips and test clips teach this model nothing
    champion.add(3, label=False)
    champion.add(2, split="test")
    assert retrain(champion.project).outcome == "unchanged"
    assert champion.project.workspace.champion.read_bytes() == written
    assert champion.runs() == runs


@pytest.mark.slow
def test_few_new_clips_wait(champion):
    champion.set(retraining__min_new_clips=5)
    champion.add(3)
    champion.add(9, label=False)
    few = retrain(champion.project)
    assert few.outcome == "too_few_new"
    assert few.reasons == ("3 clips new since the last decision, 5 are awaited",)
    assert champion.history == ["first"]
    champion.add(2)
    assert retrain(champion.project).trained
    assert len(champion.history) == 2
    # corrected labels do not wait
    name = next(n for n in champion.segments if places(champion).get(n[:16]) == "train")
    champion.segments[name] = replace(champion.segments[name], label=-2.5)
    champion.write()
    assert retrain(champion.project).trained


@pytest.mark.slow
def test_unlabelled_clips_feed_a_model_that_takes_them_along(champion):
    champion.set(training__split_rate=1)
    champion.add(3, label=False)
    first = retrain(champion.project)
    assert first.trained
    assert retrain(champion.project).outcome == "unchanged"
    champion.add(1, label=False)
    second = retrain(champion.project)
    assert second.trained
    assert second.candidate != first.candidate


@pytest.mark.slow
def test_a_frozen_clip_that_loses_its_labels_teaches_nothing(champion):
    champion.set(training__split_rate=1)
    runs = champion.project.workspace.runs
    frozen, other = champion.champion.test.clips[0], champion.add(2, label=False)
    for name, segment in champion.segments.items():
        if name.startswith(frozen):
            champion.segments[name] = replace(segment, label=None)
    champion.write()
    done = retrain(champion.project, force=True)
    assert done.outcome == "promoted"
    seen = set(clip_names(selected_on(runs, done.candidate)))
    assert seen.isdisjoint(champion.champion.test.clips)
    assert set(other) <= seen
    # what the champion saw without labels does not test it
    for name, segment in champion.segments.items():
        if name[:16] in other:
            champion.segments[name] = replace(segment, label=1.0)
    champion.given |= dict.fromkeys(other, "test")
    champion.write()
    assert {places(champion)[name] for name in other} == {"train"}
    # its labels come back
    for name, segment in champion.segments.items():
        if name.startswith(frozen):
            champion.segments[name] = replace(segment, label=-1.0)
    champion.write()
    assert places(champion)[frozen] == "test"


def test_the_test_split_is_frozen_while_the_data_grow(champion):
    before = places(champion)
    test = {clip for clip, on in before.items() if on == "test"}
    assert set(champion.champion.test.clips) == test

    champion.add(40)
    after = places(champion)
    workspace = champion.project.workspace
    drawn = Split.load(workspace.split)
    assert len(set(clip_names(drawn.test)) - test) > 3
    assert {clip for clip, on in after.items() if on == "test"} == test
    assert {clip: after[clip] for clip in before} == before
    done = retrain(champion.project)
    assert done.test_version == 1
    assert not set(clip_names(selected_on(workspace.runs, done.candidate))) & test
    # other commands keep it too
    scores = champion.project.evaluate(run="champion", on="test").metrics
    assert scores["ensemble"].n == 2 * len(test)

    # what the label file names for testing makes a new version, unless it was learned from
    learned = [clip for clip, on in before.items() if on == "train"][:2]
    champion.given |= dict.fromkeys(learned, "test")
    champion.given[next(iter(test))] = "train"
    new = champion.add(2, split="test")
    champion.add(3, split="train")
    third = retrain(champion.project)
    assert third.test_version == 2
    assert set(champion.champion.test.clips) == test | set(new)
    assert third.comparison.clips == len(test) + 2
    later = places(champion)
    assert {later[clip] for clip in learned} == {"train"}
    assert later[next(iter(test))] == "test"
    assert set(clip_names(utterances_tested(workspace.runs, third.candidate))) == test | set(new)


def test_killed_in_between(champion, monkeypatch):
    champion.add(20)

    def die(*arguments):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrain(champion.project, on_epoch=die)
    epochs = []
    with monkeypatch.context() as patched:
        patched.setattr(Champion, "save", die)
        with pytest.raises(KeyboardInterrupt):
            retrain(champion.project, on_epoch=lambda seed, record: epochs.append(record.epoch))
    assert epochs == [1, 2]
    assert champion.history == ["first"]
    done = retrain(champion.project, on_epoch=die)
    assert done.trained
    assert retrain(champion.project, on_epoch=die).outcome == "unchanged"
    assert champion.history == ["first", done.outcome]
    assert len(champion.runs()) == 2


def test_two_processes_decide_once(champion):
    """The second comes to its decision when the first has written its own."""
    champion.add(10)
    inner = []

    def other(seed, record):
        if not inner:
            inner.append(None)
            inner[0] = retrain(champion.project)

    done = retrain(champion.project, on_epoch=other)
    assert done == inner[0]
    assert len(champion.history) == 2


def test_features_that_the_champion_cannot_read(champion):
    first = champion.champion.run
    champion.set(extractors={"covarep": {}})
    champion.values = {clip: values[:, :20] for clip, values in champion.values.items()}
    champion.extract()
    done = retrain(champion.project)
    assert done.comparison.champion_from == "its stored predictions"
    stored = load_run(champion.project.workspace.runs, first).ensemble["test"].mae
    assert done.comparison.champion == pytest.approx(stored, abs=1e-5)
    assert any("cannot read the features of today" in reason for reason in done.reasons)


def test_a_champion_of_something_else(champion):
    runs, first = champion.project.workspace.runs, champion.champion.run
    report = load_run(runs, first)
    former = replace(report, collection={"classes": report.collection["nonzero"]})
    former.save(runs / first / "report.json")
    with pytest.raises(RunError, match=f"run {first}: its classes were scored by an earlier"):
        retrain(champion.project)
    config = report.model_config | {"regression": "logistic"}
    other = replace(report, classes=("0", "1"), model_config=config)
    other.save(runs / first / "report.json")
    champion.add(3)
    done = retrain(champion.project)
    assert (done.outcome, done.champion, done.comparison) == ("refused", first, None)
    told = f"{done.candidate!r} predicts scores, champion {first!r} the classes 0, 1"
    assert told in done.reasons[0]
    assert retrain(champion.project, force=True).champion == done.candidate


def test_a_champion_whose_folder_is_gone(champion):
    first = champion.champion.run
    discard_run(champion.project.workspace.runs, first)
    # the same data make the same run
    assert retrain(champion.project).champion == first
    assert champion.runs() == {first}
    assert champion.history == ["first"]
    discard_run(champion.project.workspace.runs, first)
    champion.add(5)
    done = retrain(champion.project)
    assert done.outcome == "first"
    assert done.reasons[0] == f"the run of champion {first} is gone"
    assert champion.champion.test.version == 1


def test_a_training_that_diverges_is_refused_once(champion):
    first = champion.champion.run
    champion.set(training__learning_rate=1e30, training__gradient_clip=None)
    done = retrain(champion.project)
    assert (done.outcome, done.champion, done.comparison) == ("refused", first, None)
    assert champion.champion.history[-1].candidate_report is None
    assert retrain(champion.project).outcome == "unchanged"
