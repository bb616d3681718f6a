import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors.words import Word
from pipeline.csd_words import csd_entries, read_csd_words, write_csd_words
from pipeline.errors import DataError, SourceError
from pipeline.repair_log import RepairLog


def read(path, entry="one", *, duration=1e6):
    log = RepairLog(path, unit="row")
    return read_csd_words(path=path, entry=entry, duration=duration, log=log)


def words(passages):
    return [(w.text, w.start, w.end) for passage in passages for w in passage.words]


@pytest.fixture
def make(tmp_path):
    """Write a file as the SDK does, with h5py alone."""

    def make(name="words.csd", *, root="words", **videos):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            data = file.create_group(f"{root}/data")
            for video, parts in videos.items():
                for key, values in zip(("features", "intervals"), parts, strict=False):
                    data.create_dataset(f"{video}/{key}", data=values)
            file.create_dataset(f"{root}/metadata/root name", data=[json.dumps(root)])
        return path

    return make


TEXTS = np.array([[b"sp"], [b"it"], [b"leaks"], [b"sp"], [b"caf\xc3\xa9"]])
TIMES = np.array([[0, 0.5], [0.5, 0.75], [0.75, 1.5], [1.5, 2], [2, 2.5]])
SAID = [("it", 0.5, 0.75), ("leaks", 0.75, 1.5), ("café", 2.0, 2.5)]


def test_words_and_pauses(make):
    passages = read(make(one=(TEXTS, TIMES), two=(TEXTS[:1], TIMES[:1])))
    assert words(passages) == SAID
    assert [(p.span, p.line) for p in passages] == [((0.5, 1.5), 2), ((2.0, 2.5), 5)]
    assert {word.source for p in passages for word in p.words} == {"given"}


@pytest.mark.parametrize("texts", [TEXTS[:, 0], TEXTS.astype(object), TEXTS[:, 0].astype(object)])
def test_other_ways_to_write_texts(make, texts):
    if texts.dtype == object:
        texts = texts.astype(h5py.string_dtype())
    assert words(read(make(one=(texts, TIMES)))) == SAID


def test_a_file_of_one_video_may_call_it_otherwise(make):
    assert words(read(make(one=(TEXTS, TIMES)), "another")) == SAID


def test_a_video_that_is_not_there(make):
    path = make(one=(TEXTS, TIMES), two=(TEXTS, TIMES))
    assert csd_entries(path) == ("one", "two")
    with pytest.raises(SourceError, match=r"words\.csd: holds no video 'three' among its 2"):
        read(path, "three")


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((np.zeros((5, 74)), TIMES), r"'features' of shape \(5, 74\)"),
        ((np.zeros((5, 1)), TIMES), r"'features' of shape \(5, 1\)"),
        ((TEXTS, TIMES[:4]), r"'intervals' of shape \(4, 2\)"),
        ((TEXTS, TEXTS.repeat(2, 1)), r"are not words"),
        ((TEXTS,), "'intervals' of shape None"),
        ((), "holds no video 'one'"),
    ],
)
def test_what_holds_no_words(make, parts, told):
    with pytest.raises(SourceError, match=told):
        read(make(one=parts))


@pytest.mark.parametrize(
    ("row", "times", "told"),
    [
        (3, (1.5, 0.75), "row 3: 'leaks' ends at 0.75 s and begins at 1.5 s"),
        (2, (np.nan, 1), "row 2: 'it' ends at 1.0 s and begins at nan s"),
        (5, (100, 101), "row 5: begins at 100.00 s, the clip lasts 50.00 s"),
    ],
)
def test_times_that_cannot_be_are_refused_with_their_row(make, row, times, told):
    wrong = TIMES.copy()
    wrong[row - 1] = times
    with pytest.raises(SourceError, match=rf"words\.csd, {told}"):
        read(make(one=(TEXTS, wrong)), duration=50.0)


def test_a_word_that_is_not_utf8(make):
    path = make(one=(np.array([[b"caf\xe9"]]), TIMES[:1]))
    with pytest.raises(SourceError, match=r"words\.csd, video 'one': a word is not UTF-8") as error:
        read(path)
    assert error.value.code == "bad_encoding"


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(50)])
def test_what_is_no_such_file(tmp_path, content):
    (tmp_path / "a.csd").write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.csd: cannot be read as HDF5"):
        read(tmp_path / "a.csd")


def test_hdf5_of_another_kind(tmp_path):
    with h5py.File(tmp_path / "a.csd", "w") as file:
        file["data"] = [1]
        file["other/x"] = [1]
    with pytest.raises(SourceError, match=r"a\.csd: holds no group '<name>/data'"):
        csd_entries(tmp_path / "a.csd")


# A word as transcripts have it: seen, not in brackets as a whole, and no pause.
TOKENS = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8
).map(lambda text: f"{text}a")


@st.composite
def transcripts(draw):
    times = sorted(draw(st.lists(st.floats(0, 1e5), min_size=2, max_size=20)))
    return [
        Word(text=draw(TOKENS), start=start, end=end)
        for start, end in zip(times[::2], times[1::2], strict=False)
    ]


# Finding the signs of all those categories for the first time takes a while.
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text("abc_-[0]é", min_size=1), transcripts(), min_size=1, max_size=3))
def test_what_is_written_is_read(tmp_path_factory, videos):
    path = tmp_path_factory.mktemp("a") / "a.csd"
    write_csd_words(path, videos)
    assert csd_entries(path) == tuple(sorted(videos))
    for name, said in videos.items():
        found = [word for passage in read(path, name) for word in passage.words]
        assert found == said


def test_the_sdk_finds_what_it_asks_for(tmp_path):
    """Names, shapes and kinds of the SDK's own reader, which wants every key of metadata."""
    path = tmp_path / "a.csd"
    write_csd_words(path, {"one": [Word(text="café", start=0.1, end=0.2)]}, name="CMU_Words")
    with h5py.File(path) as file:
        assert list(file) == ["CMU_Words"]
        root = file["CMU_Words"]
        assert root["data/one/features"][0][0].decode("utf8") == "café"
        assert root["data/one/intervals"][()].tolist() == [[0.1, 0.2]]
        assert root["data/one/features"].shape == (1, 1)
        told = {key: json.loads(root["metadata"][key][0]) for key in root["metadata"]}
    assert set(told) == {
        "root name",
        "computational sequence description",
        "alignment compatible",
        "dataset name",
        "dataset version",
        "creator",
        "contact",
        "featureset bib citation",
        "dataset bib citation",
        "uuid",
        "md5",
        "dimension names",
        "computational sequence version",
        "dimension namescomputational sequence version",
    }
    assert told["root name"] == "CMU_Words"


@pytest.mark.parametrize("text", ["sp", " ", "SIL", "[noise]", "{LG}", "New York", "so\n"])
def test_what_would_be_read_otherwise_is_not_written(tmp_path, text):
    said = [Word(text=text if text.strip() else "sp", start=1.5, end=2.0)]
    with pytest.raises(DataError, match=r"video 'one': .* at 1\.5 s would not be read as one word"):
        write_csd_words(tmp_path / "a.csd", {"one": said})
    assert list(Path(tmp_path).iterdir()) == []


@pytest.mark.parametrize(("video", "count"), [("a/b", 1), ("", 1), (".", 1), ("a", 0)])
def test_videos_that_cannot_be_written(tmp_path, video, count):
    with pytest.raises(DataError, match=f"video '{video}' with {count} words"):
        write_csd_words(tmp_path / "a.csd", {video: [Word(text="a", start=0, end=1)] * count})


def test_words_of_a_published_file(reference):
    """MOSI's words: those that are neither pauses nor noise, unchanged."""
    path = reference / "datasets" / "mosi" / "mosi_words_timestamps.csd"
    with h5py.File(path) as file:
        (root,) = file.values()
        for name in list(root["data"])[:5]:
            texts = root["data"][name]["features"][:, 0]
            times = root["data"][name]["intervals"][()]
            expected = [
                (text.decode(), *span)
                for text, span in zip(texts, times.tolist(), strict=True)
                if text != b"sp"
            ]
            assert words(read(path, name)) == expected
