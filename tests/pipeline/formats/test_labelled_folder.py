import numpy as np
import pytest

from pipeline.errors import DataError, SourceError
from pipeline.formats.labelled_folder import LabelledFolder
from pipeline.formats.utterance import Utterance, rows_of
from pipeline.labels import read_labels


def utterance(**wanted):
    return Utterance(**({"video": "v", "clip": "1", "label": 1.0, "split": "train"} | wanted))


def rows(modality="audio"):
    return {modality: rows_of(np.ones((2, 3)), modality=modality)}


def test_spans_of_videos_are_what_ingest_reads(tmp_path):
    spans = [utterance(start=0.5, end=2.25, text="so, good"), utterance(clip="2", start=3, end=4)]
    LabelledFolder().write(tmp_path / "out", spans)
    labels, failures = read_labels(tmp_path / "out" / "labels.csv")
    assert not failures
    assert [(x.video, x.start, x.end, x.text) for x in labels] == [
        ("v", 0.5, 2.25, "so, good"),
        ("v", 3.0, 4.0, ""),
    ]
    found = list(LabelledFolder().read(tmp_path / "out"))
    assert [(u.id, u.start) for u in found] == [("v$_$1", 0.5), ("v$_$2", 3.0)]


def test_features_lie_in_files_named_after_the_row(tmp_path):
    LabelledFolder().write(tmp_path / "out", [utterance(features=rows()), utterance(video="w")])
    np.testing.assert_array_equal(np.load(tmp_path / "out/audio/v/1.npy"), np.ones((2, 3)))
    first, second = LabelledFolder().read(tmp_path / "out")
    assert (first.id, list(first.features), second.features) == ("v$_$1", ["audio"], {})


@pytest.mark.parametrize("video", ["../x", "/x", "a/../../x", "", "a\0b"])
def test_names_that_leave_the_folder_are_refused(tmp_path, video):
    with pytest.raises(DataError, match="cannot name a file"):
        LabelledFolder().write(tmp_path / "out", [utterance(video=video, clip="")])
    assert list(tmp_path.iterdir()) == []


def test_a_row_does_not_reach_outside_the_folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "audio").mkdir()
    np.save(tmp_path / "audio" / "x.npy", np.ones((2, 3)))
    (tmp_path / "out" / "labels.csv").write_text("video,label\n../../audio/x,1\n")
    (found,) = LabelledFolder().read(tmp_path / "out")
    assert found.features == {}


def test_the_same_name_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="same name"):
        LabelledFolder().write(tmp_path / "out", [utterance(), utterance()])
    (tmp_path / "labels.csv").write_text("video,label\nv,1\nv,2\n")
    with pytest.raises(SourceError, match="line 3: video 'v'"):
        list(LabelledFolder().read(tmp_path))


@pytest.mark.parametrize("row", ["v,9", "v,much"])
def test_a_row_that_cannot_be_is_named(tmp_path, row):
    (tmp_path / "labels.csv").write_text(f"video,label\n{row}\n")
    with pytest.raises(SourceError, match=r"labels\.csv, line 2"):
        list(LabelledFolder().read(tmp_path))


@pytest.mark.parametrize("shape", [(2,), (10**12, 74), (0, 10**9)])
def test_a_file_that_is_no_table_is_named_with_its_shape(tmp_path, shape):
    (tmp_path / "labels.csv").write_text("video,label\nv,1\n")
    (tmp_path / "audio").mkdir()
    with (tmp_path / "audio" / "v.npy").open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(b"\0" * 8)
    with pytest.raises(SourceError, match=rf"v\.npy.*\({shape[0]}"):
        list(LabelledFolder().read(tmp_path))
