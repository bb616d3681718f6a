import h5py
import numpy as np
import pytest

from extractors.words import Word
from pipeline.errors import DataError, SourceError
from pipeline.formats.cmu_sdk import CmuSdk
from pipeline.formats.utterance import Utterance, rows_of


def sequence(path, root, entries):
    with h5py.File(path, "w") as file:
        for name, (features, intervals) in entries.items():
            file[f"{root}/data/{name}/features"] = features
            file[f"{root}/data/{name}/intervals"] = np.array(intervals, float)


@pytest.fixture
def folder(tmp_path):
    """Two labelled stretches of a video, as the SDK has it before alignment."""
    path = tmp_path / "mosi"
    path.mkdir()
    seconds = [[i, i + 1] for i in range(6)]
    audio = np.arange(12.0).reshape(6, 2)
    audio[4, 0] = -np.inf
    words = np.array([[b"so"], [b"sp"], [b"good"], [b"that"], [b"is"], [b"it"]])
    sequence(path / "CMU_MOSI_COVAREP.csd", "COVAREP", {"v1": (audio, seconds)})
    sequence(path / "CMU_MOSI_TimestampedWords.csd", "words", {"v1": (words, seconds)})
    labels = ([[2.5], [-1.0]], [[0.2, 3.2], [4, 6]])
    sequence(path / "CMU_MOSI_Opinion_Labels.csd", "Opinion Segment Labels", {"v1": labels})
    return path


def test_utterances_are_the_intervals_of_the_labels(folder):
    first, second = CmuSdk().read(folder)
    assert (first.id, first.label, first.start, first.end) == ("v1$_$0", 2.5, 0.2, 3.2)
    assert (second.id, second.label, second.split) == ("v1$_$1", -1.0, None)
    assert (first.text, second.text) == ("so good", "is it")
    assert first.words[1] == Word(text="good", start=2, end=3, source="given")
    # rows whose middle, 0.5, 1.5, ..., lies inside
    np.testing.assert_array_equal(first.features["audio"].values, [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(second.features["audio"].values, [[0, 9], [10, 11]])
    np.testing.assert_array_equal(second.features["audio"].times, [[4, 5], [5, 6]])


def test_aligned_entries_are_utterances(tmp_path):
    values = np.ones((3, 2))
    spans = [[7, 8], [8, 9], [9, 10]]
    sequence(tmp_path / "glove.csd", "glove", {"v[4]": (values, spans)})
    sequence(tmp_path / "labels.csd", "labels", {"v[4]": ([[1.0, 0, 0, 2]], [[7.9, 8.1]])})
    (found,) = CmuSdk().read(tmp_path)
    assert (found.video, found.clip, found.label) == ("v", "4", 1.0)
    assert len(found.features["text"]) == 3


def test_one_file_alone_is_read_by_video(folder):
    (found,) = CmuSdk().read(folder / "CMU_MOSI_TimestampedWords.csd")
    assert (found.id, found.label, found.start) == ("v1", None, None)
    assert found.text == "so good that is it"


def test_two_files_of_a_kind_and_files_of_none_are_refused(folder):
    sequence(folder / "OpenFace_2.csd", "OpenFace_2", {"v1": ([[1]], [[0, 1]])})
    sequence(folder / "Visual_Facet.csd", "Facet", {"v1": ([[1]], [[0, 1]])})
    with pytest.raises(SourceError, match="both hold vision"):
        list(CmuSdk().read(folder))
    (folder / "OpenFace_2.csd").unlink()
    (folder / "Visual_Facet.csd").rename(folder / "something.csd")
    sequence(folder / "something.csd", "else", {"v1": ([[1]], [[0, 1]])})
    with pytest.raises(SourceError, match=r"something\.csd, sequence 'else'"):
        list(CmuSdk().read(folder))


def test_labels_that_are_words_are_refused(folder):
    sequence(folder / "CMU_MOSI_Opinion_Labels.csd", "labels", {"v1": ([[b"x"]], [[0, 1]])})
    with pytest.raises(SourceError, match=r"Labels\.csd, key labels/data/v1/features: shape"):
        list(CmuSdk().read(folder))


def utterance(**wanted):
    rows = rows_of(np.ones((2, 3)), modality="audio", times=[[1, 2], [2, 3]])
    fields = {"video": "v", "clip": "1", "start": 1.0, "end": 3.0, "features": {"audio": rows}}
    return Utterance(**(fields | wanted))


@pytest.mark.parametrize(
    "wrong",
    [
        [utterance(start=None)],
        [utterance(), utterance()],
        [utterance(video="a/b")],
        [
            utterance(),
            utterance(clip="2", features={"audio": rows_of(np.ones((1, 2)), modality="audio")}),
        ],
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path, wrong):
    with pytest.raises(DataError, match="utterance"):
        CmuSdk().write(tmp_path / "out", wrong)
    assert list(tmp_path.iterdir()) == []


def test_real_words(reference):
    found = list(CmuSdk().read(reference / "datasets" / "mosi" / "mosi_words_timestamps.csd"))
    assert len(found) == 93
    splits = [one.split for one in found]
    assert [splits.count(name) for name in ("train", "valid", "test")] == [52, 10, 31]
    assert all(len(one.words) > 20 for one in found)
