import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.champion import Champion, FrozenTest, set_champion
from pipeline.errors import StoreError
from pipeline.frozen_test import frozen_split, with_frozen_test
from pipeline.run_folder import selected_on
from pipeline.splits import SPLIT_NAMES, Split
from pipeline.workspace import Workspace


def split(given=(), **places):
    """Two utterances a clip."""
    ids = {
        name: tuple(f"{clip}:{n}.000-{n + 1}.000" for clip in places.get(name, "") for n in (0, 1))
        for name in SPLIT_NAMES
    }
    return Split(**ids, given=tuple(given))


def test_what_was_drawn_for_testing_trains():
    before = split(train="ab", valid="c", test="de")
    after = with_frozen_test(before, test={"d"}, learned=set())
    assert after == split(train="abe", valid="c", test="d")


def test_what_tests_stays_whatever_the_labels_say():
    before = split(train="ab", valid="c", test="", given="abc")
    after = with_frozen_test(before, test={"b", "c"}, learned=set())
    assert after == split(train="a", test="bc", given="abc")


def test_what_the_labels_name_for_testing_tests_unless_it_was_learned_from():
    before = split(train="a", valid="b", test="cde", given="de")
    after = with_frozen_test(before, test=set(), learned={"e"})
    assert after == split(train="ace", valid="b", test="d", given="de")


def test_what_tested_and_lost_its_labels_is_held():
    before = split(train="a", valid="b", test="")
    after = with_frozen_test(before, test={"c", "b"}, learned=set())
    assert after == replace(split(train="a", test="b"), held=("c",))


@given(
    st.dictionaries(st.text("abcdef", min_size=1), st.sampled_from(SPLIT_NAMES)),
    st.sets(st.text("abcdef", min_size=1)),
    st.sets(st.text("abcdef", min_size=1)),
    st.sets(st.text("abcdef", min_size=1)),
)
def test_nothing_is_lost_and_nothing_learned_tests(places, test, learned, named):
    ids = {name: [c for c, on in places.items() if on == name] for name in SPLIT_NAMES}
    before = split(named, **ids)
    learned = learned - test
    after = with_frozen_test(before, test=test, learned=learned)
    everything = [part for name in SPLIT_NAMES for part in getattr(before, name)]
    assert sorted(after.train + after.valid + after.test) == sorted(everything)
    tested = {name.partition(":")[0] for name in after.test}
    assert tested & test == places.keys() & test
    assert not tested & learned
    assert tested - test <= named
    assert set(after.held) == test - places.keys()
    again = with_frozen_test(after, test=tested, learned=learned)
    assert again == replace(after, held=())


def test_without_a_champion_the_split_is_as_it_was_written(tmp_path):
    workspace = Workspace(root=tmp_path)
    with pytest.raises(StoreError, match="not a split"):
        frozen_split(workspace)
    written = split(train="a", valid="b", test="c")
    written.save(workspace.split)
    assert frozen_split(workspace) == written
    test = FrozenTest(version=1, since="2026-01-01T00:00:00+00:00", clips=("a",))
    # a champion whose folder is gone
    Champion(run="gone", test=test).save(workspace)
    assert frozen_split(workspace) == split(train="c", valid="b", test="a")


def test_what_a_champion_set_by_hand_has_learned_from_does_not_test(finished_runs, tmp_path):
    shutil.copytree(finished_runs, tmp_path / "runs")
    workspace = Workspace(root=tmp_path)
    run = set_champion(workspace, "latest").run
    learned = selected_on(workspace.runs, run)
    written = Split(train=("a:0-1",), valid=("b:0-1",), test=(learned[0], "c:0-1"))
    written.save(workspace.split)
    found = frozen_split(workspace)
    assert (found.train, found.test) == (("a:0-1", learned[0]), ("c:0-1",))
    same = replace(written, test=("c:0-1",))
    same.save(workspace.split)
    assert frozen_split(workspace) == same
