import json
import math
import shutil
from dataclasses import replace

import pytest

from pipeline.bootstrap import Interval
from pipeline.champion import (
    Champion,
    Decision,
    FrozenTest,
    clear_champion,
    report_page,
    serving_run,
    set_champion,
)
from pipeline.clip_names import clip_names
from pipeline.errors import RunError, StoreError
from pipeline.learned_data import LearnedData
from pipeline.run_comparison import Comparison
from pipeline.run_folder import load_run, selected_on, utterances_tested
from pipeline.splits import Split
from pipeline.workspace import Workspace


@pytest.fixture
def workspace(finished_runs, tmp_path):
    shutil.copytree(finished_runs, tmp_path / "runs")
    return Workspace(root=tmp_path)


@pytest.fixture
def runs(workspace):
    return sorted(path.parent.name for path in workspace.runs.glob("*/report.json"))


def test_nobody_is_the_champion_at_first(workspace):
    assert Champion.load(workspace) == Champion()
    assert serving_run(workspace) == "latest"
    with pytest.raises(RunError, match="there is no champion; `winnow retrain`"):
        load_run(workspace.runs, "champion")
    assert clear_champion(workspace) == Champion()
    assert not workspace.champion.exists()


def test_set_back_and_clear(workspace, runs):
    first, second = runs
    set_champion(workspace, first)
    after = set_champion(workspace, second)
    assert (after.run, after.previous, after.why) == (second, first, "set: by hand")
    assert load_run(workspace.runs, "champion").id == second
    assert serving_run(workspace) == "champion"
    back = set_champion(workspace, first)
    assert back == Champion.load(workspace)
    assert (back.run, back.previous) == (first, second)
    assert set_champion(workspace, first) == back
    cleared = clear_champion(workspace)
    assert (cleared.run, cleared.previous) == (None, first)
    assert [(d.outcome, d.candidate, d.champion) for d in cleared.history] == [
        ("set", first, None),
        ("set", second, first),
        ("set", first, second),
        ("cleared", None, first),
    ]
    for decision in cleared.history[:3]:
        assert (workspace.root / decision.candidate_report).is_file()
    with pytest.raises(RunError, match="there is no champion"):
        load_run(workspace.runs, "champion")


def test_unknown_runs_are_refused(workspace):
    with pytest.raises(RunError, match="no complete run 'other'"):
        set_champion(workspace, "other")
    assert not workspace.champion.exists()


def test_a_run_of_classes_can_be_the_champion(workspace, runs):
    names = ("Agree", "Ask", "Leave")
    report = replace(load_run(workspace.runs), model_config={"classes": names}, classes=names)
    report.save(workspace.runs / report.id / "report.json")
    assert set_champion(workspace, report.id).run == report.id


def test_a_run_that_has_learned_from_the_test_split_is_refused(workspace, runs):
    learned = clip_names(selected_on(workspace.runs, runs[0]))[:2]
    test = FrozenTest(version=3, since="2026-01-01T00:00:00+00:00", clips=(*learned, "other"))
    Champion(test=test).save(workspace)
    with pytest.raises(RunError, match=r"learned from 2 of the 3 clips.*version 3.*--new-test"):
        set_champion(workspace, runs[0])
    after = set_champion(workspace, runs[0], new_test=True)
    assert after.test.version == 4
    assert after.test.clips == tuple(clip_names(utterances_tested(workspace.runs, runs[0])))


def test_the_test_split_only_grows(workspace):
    def split(*test):
        return Split(train=("a:0-1",), valid=("b:0-1",), test=test)

    first = Champion().frozen(split("c:0-1", "c:1-2"))
    assert (first.test.version, first.test.clips) == (1, ("c",))
    assert first.frozen(split("c:1-2")) is first
    assert first.frozen(split()) is first
    second = first.frozen(split("d:0-1"))
    assert (second.test.version, second.test.clips) == (2, ("c", "d"))


def test_what_is_written_is_read(workspace):
    comparison = Comparison(
        metric="mae", candidate=0.5, champion=0.75, improvement=0.25,
        interval=Interval(low=math.nan, high=math.nan), confidence=0.95, p_value=math.nan,
        utterances=1, clips=1, champion_from="the features of today",
    )  # fmt: skip
    decision = Decision(
        at="2026-01-01T00:00:00+00:00", outcome="refused", candidate_report=report_page("b"),
        champion_report=report_page("a"), comparison=comparison, reasons=("noise",),
        test_version=1,
    )  # fmt: skip
    before = Champion(
        run="a", learned=LearnedData(settings="s", clips={"x": "1"}), history=(decision,)
    )
    before.save(workspace)
    after = Champion.load(workspace)
    assert math.isnan(after.history[0].comparison.interval.low)
    known = replace(comparison, interval=Interval(low=0, high=1), p_value=1.0)
    assert replace(
        after.history[0],
        comparison=replace(after.history[0].comparison, interval=known.interval, p_value=1.0),
    ) == replace(decision, comparison=known)
    assert (after.run, after.learned) == (before.run, before.learned)
    # a run's name stands alone only where the run must be kept
    fields = json.loads(workspace.champion.read_text())
    assert fields["history"][0]["candidate_report"] == "runs/b/report.html"


@pytest.mark.parametrize("content", ["", "{}}", '{"run": 3}', '{"history": [{}]}'])
def test_a_damaged_file_is_named(workspace, content):
    workspace.champion.write_text(content)
    with pytest.raises(StoreError, match=r"champion\.json: not a champion's file.*champion set"):
        Champion.load(workspace)
    with pytest.raises(RunError, match=r"champion\.json: not a champion's|no complete run '3'"):
        load_run(workspace.runs, "champion")
