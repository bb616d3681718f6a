import pytest

from pipeline.errors import DataError, RunError
from pipeline.split_checks import kept_split, refuse_seen, refuse_unlabelled
from pipeline.splits import Split


def test_what_is_not_there_is_left_out():
    split = Split(train=("a", "b", "c"), valid=("d",), test=("e", "f"), source="given")
    kept = kept_split(split, {"c", "a", "f", "z"})
    assert kept == Split(train=("a", "c"), valid=(), test=("f",), source="given")


@pytest.mark.parametrize("empty", ["train", "valid", "test"])
def test_an_empty_part_is_named(empty):
    parts = {"train": ("a",), "valid": ("b",), "test": ("c",)}
    refuse_unlabelled(Split(**parts))
    with pytest.raises(DataError, match=f"'{empty}': 0"):
        refuse_unlabelled(Split(**(parts | {empty: ()})))


def test_what_selected_a_run_does_not_test_it(run, split, tmp_path):
    report = run()
    where = {"runs_folder": tmp_path / "runs", "run": report.id}
    refuse_seen(split, **where)
    for part in (split.train, split.valid):
        mixed = Split(train=(), valid=(), test=(*split.test, part[0]))
        with pytest.raises(DataError, match=f"1 of {len(mixed.test)} test utterances"):
            refuse_seen(mixed, **where)
    with pytest.raises(RunError, match="no complete run 'x'"):
        refuse_seen(split, runs_folder=tmp_path / "runs", run="x")
