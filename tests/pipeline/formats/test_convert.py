import pickle

import numpy as np
import pytest

from pipeline.errors import ConfigError, SourceError
from pipeline.formats.convert import ForeignDataset, convert


@pytest.fixture
def source(tmp_path):
    (tmp_path / "plain" / "audio").mkdir(parents=True)
    lines = "video,label,split\na,1.5,train\nb,-1,valid\nc,0,test\n"
    (tmp_path / "plain" / "labels.csv").write_text(lines)
    for name in "abc":
        np.save(tmp_path / "plain" / "audio" / f"{name}.npy", np.full((3, 2), ord(name), "f4"))
    return tmp_path / "plain"


def test_there_and_back(source, tmp_path):
    done = convert(source, tmp_path / "a.pkl")
    assert done == ("folder", "mmsa", 3)
    assert convert(tmp_path / "a.pkl", tmp_path / "back") == ("mmsa", "folder", 3)
    for one, other in zip(ForeignDataset(source), ForeignDataset(tmp_path / "back"), strict=True):
        assert (one.id, one.label, one.split) == (other.id, other.label, other.split)
        values = other.features["audio"].values
        np.testing.assert_array_equal(one.features["audio"].values, values)


def test_labels_of_raw_clips_become_what_ingest_reads(tmp_path):
    (tmp_path / "label.csv").write_text("video_id,clip_id,text,label,mode\n01,0002,x,0.5,valid\n")
    convert(tmp_path / "label.csv", tmp_path / "out")
    assert (
        (tmp_path / "out" / "labels.csv").read_text().splitlines()[1].startswith("01/0002,,,0.5,")
    )


def test_a_target_that_is_there_is_kept(source, tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"mine")
    with pytest.raises(ConfigError, match="is there already"):
        convert(source, tmp_path / "a.pkl")
    assert (tmp_path / "a.pkl").read_bytes() == b"mine"


def test_formats_that_are_not(source, tmp_path):
    with pytest.raises(ConfigError, match="'mintrec' is read, not written"):
        convert(source, tmp_path / "x", target_format="mintrec")
    with pytest.raises(ConfigError, match="unknown format 'xml'; there are: csd, folder, mintrec"):
        convert(source, tmp_path / "x", target_format="xml")
    with pytest.raises(SourceError, match="no data set that is known"):
        convert(tmp_path, tmp_path / "x")


def test_a_source_that_fails_midway_leaves_no_file(source, tmp_path):
    (source / "audio" / "c.npy").write_bytes(pickle.dumps([1]))
    with pytest.raises(SourceError, match=r"c\.npy"):
        convert(source, tmp_path / "a.pkl")
    assert not (tmp_path / "a.pkl").exists()
