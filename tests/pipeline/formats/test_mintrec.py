import pickle

import numpy as np
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


def write_features(folder, *, vision):
    """As the authors keep them: audio (T, 768) and a list of frames (1, 256) by clip."""
    for name, content in (("audio", {"S05_E15_248": np.ones((3, 2))}), ("video", vision)):
        (folder / f"{name}_data").mkdir()
        (folder / f"{name}_data" / f"{name}_feats.pkl").write_bytes(pickle.dumps(content))


def test_features_are_read_if_they_are_there(tmp_path):
    rows = "S05\tE15\t248\tthat's good.\tPraise\nS05\tE15\t249\tno.\tOppose\n"
    (tmp_path / "train.tsv").write_text(HEAD + rows)
    frames = np.arange(1.0, 13.0).reshape(4, 3)
    write_features(tmp_path, vision={"S05_E15_248": list(frames[:, None])})
    first, second = Mintrec().read(tmp_path)
    assert {name: len(part) for name, part in first.features.items()} == {"audio": 3, "vision": 4}
    np.testing.assert_array_equal(first.features["vision"].values, frames)
    assert second.features == {}


@pytest.mark.parametrize(
    "rows", [np.ones(4), np.ones((2, 2, 2)), [np.ones(2), np.ones(3)], [], "rows", [1.0, 2.0]]
)
def test_features_that_are_no_frames_are_named(tmp_path, rows):
    (tmp_path / "train.tsv").write_text(HEAD + "S05\tE15\t248\tthat's good.\tPraise\n")
    write_features(tmp_path, vision={"S05_E15_248": rows})
    with pytest.raises(SourceError, match=r"video_feats\.pkl, key 'S05_E15_248'"):
        list(Mintrec().read(tmp_path))


def test_real_tables(reference):
    found = list(Mintrec().read(reference / "datasets" / "mintrec"))
    splits = [one.split for one in found]
    assert [splits.count(name) for name in ("train", "valid", "test")] == [1334, 445, 445]
    assert len({one.category for one in found}) == 20
