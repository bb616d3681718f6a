import json

import h5py
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.formats.csd_files import Entry, csd_file, write_csd


@pytest.fixture
def make(tmp_path):
    """Write a file with h5py alone."""

    def make(*, features=None, intervals=None, **options):
        path = tmp_path / "COVAREP.csd"
        with h5py.File(path, "w") as file:
            entry = file.create_group("COVAREP/data/v1")
            if features is not None:
                entry.create_dataset("features", data=features, **options)
            if intervals is not None:
                entry.create_dataset("intervals", data=intervals)
        return path

    return make


def read(path, name="v1"):
    with csd_file(path) as file:
        return file.entry(name)


TIMES = np.array([[0.0, 1.0], [1.0, 2.0]])


def test_rows_are_sorted_and_wider_rows_are_flattened(make):
    entry = read(make(features=np.arange(12.0).reshape(2, 2, 3), intervals=TIMES[::-1]))
    np.testing.assert_array_equal(entry.features, [[6, 7, 8, 9, 10, 11], [0, 1, 2, 3, 4, 5]])
    np.testing.assert_array_equal(entry.intervals, TIMES)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"features": np.zeros((2, 3))}, r"COVAREP/data/v1/intervals: is missing"),
        ({"intervals": TIMES}, r"COVAREP/data/v1/features: is missing"),
        ({"features": np.zeros((3, 3)), "intervals": TIMES}, r"shape \(2, 2\).*\(3, 2\).*\(3, 3\)"),
        ({"features": np.zeros((2, 3)), "intervals": TIMES[:, 0]}, r"shape \(2,\)"),
        ({"features": np.zeros((2, 3)), "intervals": TIMES * np.nan}, "not all are finite"),
        ({"features": np.zeros(2, complex), "intervals": TIMES}, "features: shape"),
        ({"features": 3.0, "intervals": TIMES}, r"features: shape \(\)"),
    ],
)
def test_an_error_names_file_key_and_shape(make, parts, message):
    with pytest.raises(SourceError, match=rf"COVAREP\.csd, key {message}|{message}"):
        read(make(**parts))


def test_a_claimed_shape_is_not_allocated(make):
    path = make(intervals=TIMES)
    with h5py.File(path, "r+") as file:
        file["COVAREP/data/v1"].create_dataset(
            "features", shape=(10**12, 74), dtype="f4", chunks=(1024, 74)
        )
    with pytest.raises(SourceError, match=r"v1/features: shape \(1000000000000, 74\)"):
        read(path)


def test_a_tightly_packed_array_is_read(make):
    zeros = np.zeros((200_000, 4))
    spans = np.stack([np.arange(200_000.0)] * 2, axis=1)
    path = make(features=zeros, intervals=spans, compression="gzip", compression_opts=9)
    assert read(path).features.shape == zeros.shape


def test_links_to_other_files_are_not_followed(make, tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.zeros((2, 3))
    path = make(intervals=TIMES)
    with h5py.File(path, "r+") as file:
        file["COVAREP/data/v1/features"] = h5py.ExternalLink(str(other), "secret")
    with pytest.raises(SourceError, match="v1/features: is missing, or no array in this file"):
        read(path)


def test_external_storage_is_not_read(make, tmp_path):
    raw = tmp_path / "raw.bin"
    raw.write_bytes(b"\0" * 48)
    path = make(intervals=TIMES)
    with h5py.File(path, "r+") as file:
        file["COVAREP/data/v1"].create_dataset(
            "features", shape=(2, 3), dtype="f8", external=[(str(raw), 0, 48)]
        )
    with pytest.raises(SourceError, match=r"v1/features: shape \(2, 3\)"):
        read(path)


def test_cut_and_other_files_are_refused(make, tmp_path):
    path = make(features=np.zeros((2, 3)), intervals=TIMES)
    content = path.read_bytes()
    for size in (0, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(SourceError, match=r"COVAREP\.csd"):
            read(path)
    with pytest.raises(SourceError, match="cannot be read"):
        read(tmp_path / "nothing.csd")
    with h5py.File(tmp_path / "plain.csd", "w") as file:
        file["a"] = 1
    with pytest.raises(SourceError, match="no group"):
        read(tmp_path / "plain.csd")


def test_what_is_written_has_the_layout_of_the_sdk(tmp_path):
    path = tmp_path / "audio.csd"
    entries = [Entry("v1[0]", np.ones((2, 3), np.float32), TIMES)]
    write_csd(path, entries, root="audio", dimension_names=["a", "b", "c"])
    with h5py.File(path) as file:
        assert list(file) == ["audio"]
        assert file["audio/data/v1[0]/features"].compression_opts == 9
        np.testing.assert_array_equal(file["audio/data/v1[0]/intervals"], TIMES)
        metadata = {key: json.loads(v[0]) for key, v in file["audio/metadata"].items()}
        assert all(v.shape == (1,) for v in file["audio/metadata"].values())
    assert metadata["root name"] == "audio"
    assert metadata["dimension names"] == ["a", "b", "c"]
    # every key that the SDK would otherwise ask for on the terminal
    assert len(metadata) == 14
    assert "dimension namescomputational sequence version" in metadata


def test_a_failed_write_leaves_nothing(tmp_path):
    def entries():
        yield Entry("v1", np.zeros((1, 1)), TIMES[:1])
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        write_csd(tmp_path / "a.csd", entries(), root="a", dimension_names=["x"])
    assert list(tmp_path.iterdir()) == []
