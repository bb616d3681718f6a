import pytest

from pipeline.errors import SourceError
from pipeline.formats.mintrec import Mintrec

HEAD = "season\tepisode\tclip\ttext\tlabel\n"


def test_one_table_alone(tmp_path):
    (tmp_path / "dev.tsv").write_text(HEAD + "S05\tE15\t248\tthat's good.\tPraise\n")
    (found,) = Mintrec().read(tmp_path / "dev.tsv")
    assert (found.id, found.split, found.category) == ("S05_E15$_$248", "valid", "Praise")
    assert (found.text, found.label) == ("that's good.", None)


@pytest.mark.parametrize("rows", ["S05\tE15\t248\tx\n", "S05\tE15\t1\tx\tJoke\n" * 2])
def test_rows_that_cannot_be_are_named(tmp_path, rows):
    (tmp_path / "train.tsv").write_text(HEAD + rows)
    with pytest.raises(SourceError, match=r"train\.tsv, line"):
        list(Mintrec().read(tmp_path))


def test_real_tables(reference):
    found = list(Mintrec().read(reference / "datasets" / "mintrec"))
    splits = [one.split for one in found]
    assert [splits.count(name) for name in ("train", "valid", "test")] == [1334, 445, 445]
    assert len({one.category for one in found}) == 20
