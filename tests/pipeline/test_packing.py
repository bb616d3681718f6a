import itertools
import os
import time
from pathlib import Path

import numpy as np
import pytest

from extractors.sequence import FeatureSequence
from pipeline.errors import DataError
from pipeline.failure_log import FailureLog
from pipeline.packing import pack_segments
from pipeline.records import Segment
from pipeline.store import FeatureKey, FeatureStore

ONE, TWO = "1" * 64, "2" * 64


def key(extractor, clip_id, settings="5" * 64):
    return FeatureKey(extractor=extractor, settings=settings, clip_id=clip_id)


KEYS = {
    ONE: {name: key(name, ONE) for name in ("covarep", "openface", "bert")},
    TWO: {name: key(name, TWO) for name in ("covarep", "openface")},
}


def sequence(rows, *, first=0.0, step=0.5, width=2):
    """Rows whose first value is their number."""
    start = first + step * np.arange(rows)
    values = np.zeros((rows, width), np.float32)
    values[:, 0] = np.arange(rows)
    return FeatureSequence(
        values=values,
        times=np.stack([start, start + step], axis=1),
        names=tuple(f"c{i}" for i in range(width)),
        valid=np.arange(rows) % 3 > 0,
    )


def segment(clip_id, start, end, label=None):
    return Segment(
        id=f"{clip_id[0]}:{start}-{end}",
        clip_id=clip_id,
        start=start,
        end=end,
        text="",
        label=label,
    )


SEGMENTS = [
    segment(ONE, 0.0, 1.0, 1.5),
    segment(ONE, 1.0, 4.0),
    segment(TWO, 0.0, 2.0, -3.0),
    segment(TWO, 50.0, 60.0),
]


@pytest.fixture
def store(tmp_path):
    store = FeatureStore(tmp_path / "store")
    store.put(KEYS[ONE]["covarep"], sequence(8))
    store.put(KEYS[ONE]["bert"], sequence(2, first=0.1, width=3))
    store.put(KEYS[TWO]["covarep"], sequence(8))
    return store


@pytest.fixture
def pack(store, tmp_path):
    def pack(segments=SEGMENTS, keys=KEYS):
        log = FailureLog()
        folder = tmp_path / "packed"
        dataset = pack_segments(segments=segments, keys=keys, store=store, folder=folder, log=log)
        return dataset, log.failures

    return pack


def rows_of(dataset, modality):
    """First column of every utterance's rows."""
    ragged = dataset.modalities[modality]
    values = ragged.values[:, 0].tolist()
    edges = ragged.offsets.tolist()
    return [values[a:b] for a, b in itertools.pairwise(edges)]


def test_sequences_are_cut_into_utterances(pack):
    dataset, _ = pack()
    assert dataset.ids == tuple(s.id for s in SEGMENTS[:3])
    assert dataset.labels[[0, 2]].tolist() == [1.5, -3.0]
    assert dataset.labels[1].isnan()
    assert rows_of(dataset, "audio") == [[0, 1], [2, 3, 4, 5, 6, 7], [0, 1, 2, 3]]
    assert rows_of(dataset, "text") == [[0, 1], [], []]
    # no clip has it: an absent key
    assert set(dataset.modalities) == {"text", "audio"}
    assert dataset.dimensions == {"text": 3, "audio": 2}
    assert dataset.modalities["audio"].valid.tolist() == (
        [False, True, True, False, True, True, False, True, False, True, True, False]
    )


def test_an_utterance_without_any_feature_is_recorded_every_time(pack):
    for _ in range(2):
        _, (failure,) = pack()
        assert (failure.item, failure.step, failure.code) == ("2:50.0-60.0", "pack", "no_features")
        assert failure.clip_id == TWO
        assert "between 50.00 and 60.00 s" in failure.detail


def test_nothing_at_all_is_an_error(pack):
    with pytest.raises(DataError, match="none of 1 utterances has any feature"):
        pack(segments=SEGMENTS[3:])
    with pytest.raises(DataError, match="none of 0 utterances"):
        pack(segments=[])


def packed_files(tmp_path):
    # what is written anew is another file under the same name
    return {path: path.stat().st_ino for path in (tmp_path / "packed").iterdir()}


def test_the_same_input_is_packed_once(pack, store, tmp_path):
    first, _ = pack()
    before = packed_files(tmp_path)
    for stored in store.files():
        # only who reads the sequences can tell
        Path(store.root, stored.path).write_bytes(b"damaged")
    second, failures = pack()
    assert packed_files(tmp_path) == before
    assert (second.digest, second.ids) == (first.digest, first.ids)
    assert [failure.code for failure in failures] == ["no_features"]


def test_maintenance_can_tell_what_was_packed_from_what_is_used(pack, tmp_path):
    pack()
    (path,) = packed_files(tmp_path)
    os.utime(path, (0, 0))
    before = time.time()
    pack()
    assert path.stat().st_mtime >= before - 1


@pytest.mark.parametrize("change", ["label", "span", "features", "settings"])
def test_other_input_is_packed_anew(pack, store, change):
    first, _ = pack()
    segments, keys = list(SEGMENTS), KEYS
    if change == "label":
        segments[1] = segment(ONE, 1.0, 4.0, 2.0)
    if change == "span":
        segments[1] = segment(ONE, 1.0, 3.0)
    if change == "features":
        store.put(KEYS[ONE]["openface"], sequence(3))
    if change == "settings":
        other = key("covarep", ONE, settings="6" * 64)
        store.put(other, sequence(4))
        keys = KEYS | {ONE: {"covarep": other}}
    second, _ = pack(segments, keys)
    assert second.digest != first.digest


def test_a_damaged_packed_file_is_packed_again(pack, tmp_path):
    first, _ = pack()
    rows = rows_of(first, "audio")
    (path,) = packed_files(tmp_path)
    content = path.read_bytes()
    # another file: the first data set still has the old one mapped
    path.unlink()
    path.write_bytes(content[:100])
    second, _ = pack()
    assert second.ids == first.ids
    assert rows_of(second, "audio") == rows


def test_a_damaged_sequence_is_missing_until_it_is_extracted_again(pack, store):
    damaged = KEYS[ONE]["covarep"]
    path = Path(store.root, damaged.path)
    path.write_bytes(path.read_bytes()[:-1])
    for _ in range(2):
        without, failures = pack()
        assert [(f.item, f.code) for f in failures if f.step == "pack"][:1] == [
            (damaged.path, "damaged_store")
        ]
        assert rows_of(without, "audio") == [[], [0, 1, 2, 3]]
    store.put(damaged, sequence(8))
    whole, failures = pack()
    assert [failure.code for failure in failures] == ["no_features"]
    assert rows_of(whole, "audio") == [[0, 1], [2, 3, 4, 5, 6, 7], [0, 1, 2, 3]]
    assert whole.digest != without.digest
