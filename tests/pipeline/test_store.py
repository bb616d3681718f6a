import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pipeline.store
from extractors.base import Extractor, get
from extractors.sequence import FeatureSequence
from pipeline.errors import StoreError
from pipeline.fingerprint import settings_digest
from pipeline.store import FeatureKey, FeatureStore, describe_extractor

KEY = FeatureKey(extractor="covarep", settings="5" * 64, clip_id="c" * 64)
KILLED = """
import os, pathlib, signal, sys
import numpy as np
from extractors.sequence import FeatureSequence
from pipeline.store import FeatureKey, FeatureStore
pathlib.Path.replace = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
key = FeatureKey(extractor="covarep", settings="5" * 64, clip_id="c" * 64)
FeatureStore(sys.argv[1]).put(key, FeatureSequence.empty(("a",)))
"""


@dataclass(frozen=True, kw_only=True)
class LoudnessConfig:
    window: int = 5


class Loudness(Extractor):
    name = "loudness"
    version = 1
    modality = "audio"
    source = "audio"
    libraries = ("numpy",)
    Config = LoudnessConfig

    def extract(self, media):
        return FeatureSequence.empty(("loudness",))


def sequence(rows=3, columns=2, seed=0):
    generator = np.random.default_rng(seed)
    start = np.arange(rows) / 25
    return FeatureSequence(
        values=generator.standard_normal((rows, columns)).astype(np.float32),
        times=np.stack([start, start + 0.04], axis=1),
        names=tuple(f"c{i}" for i in range(columns)),
        valid=generator.random(rows) < 0.5,
    )


def same(one, other):
    return (
        one.names == other.names
        and one.values.tobytes() == other.values.tobytes()
        and one.times.tobytes() == other.times.tobytes()
        and one.valid.tobytes() == other.valid.tobytes()
    )


@pytest.fixture(params=["folder", "memory", "url"])
def store(request, tmp_path):
    roots = {
        "folder": tmp_path / "a store",
        "memory": f"memory://bucket-{uuid4()}/features",
        "url": f"file://{tmp_path}/b",
    }
    return FeatureStore(roots[request.param])


@pytest.fixture
def folder(tmp_path):
    return FeatureStore(tmp_path)


@given(st.integers(0, 5), st.integers(1, 4), st.integers(0, 100))
def test_what_is_put_comes_back(tmp_path_factory, rows, columns, seed):
    store, put = FeatureStore(tmp_path_factory.mktemp("store")), sequence(rows, columns, seed)
    store.put(KEY, put)
    assert same(store.get(KEY), put)


def test_any_file_system(store):
    assert KEY not in store
    assert list(store.files()) == []
    store.put(KEY, sequence())
    assert KEY in store
    assert same(FeatureStore(store.root).get(KEY), sequence())
    digest = store.note_extractor(Loudness())
    paths = [stored.path for stored in store.files()]
    assert paths == [KEY.path, f"loudness/{digest[:16]}/extractor.json"]
    assert all(stored.size > 50 for stored in store.files())
    assert store.verify() == []
    unreachable = store.unreachable([KEY])
    assert [stored.path for stored in unreachable] == paths[1:]
    store.remove(unreachable)
    assert [stored.path for stored in store.files()] == paths[:1]


def test_slices_are_stored_as_what_they_show(folder):
    whole = sequence(6, 4)
    part = FeatureSequence(
        values=whole.values[::2, ::-1], times=whole.times[::2], names=whole.names,
        valid=whole.valid[::2],
    )  # fmt: skip
    folder.put(KEY, part)
    assert same(folder.get(KEY), part)


@pytest.mark.parametrize(
    "change",
    [{"extractor": "openface"}, {"settings": "6" * 64}, {"clip_id": "d" * 64}, {"words": "7" * 64}],
)
def test_the_key_decides(folder, change):
    other = replace(KEY, **change)
    folder.put(KEY, sequence(seed=1))
    assert other not in folder
    with pytest.raises(StoreError, match="is not there") as caught:
        folder.get(other)
    assert caught.value.code == "not_stored"
    folder.put(other, sequence(seed=2))
    assert same(folder.get(KEY), sequence(seed=1))
    assert same(folder.get(other), sequence(seed=2))


def test_whatever_changes_values_changes_the_digest(folder, monkeypatch):
    class Newer(Loudness):
        version = 2

    class Weighted(Loudness):
        def weights_digest(self):
            return "w"

    kinds = [Loudness(), Loudness(LoudnessConfig(window=6)), Newer(), Weighted()]
    digests = [folder.note_extractor(extractor) for extractor in kinds]
    monkeypatch.setattr(pipeline.store, "version", lambda name: "0.0.1")
    digests.append(folder.note_extractor(Loudness()))
    assert len(set(digests)) == 5


def test_a_description_says_what_decides():
    assert describe_extractor(Loudness()) == {
        "extractor": "loudness",
        "version": 1,
        "settings": {"window": 5},
        "weights": "",
        "libraries": {"numpy": np.__version__},
    }


@pytest.mark.parametrize("name", ["covarep", "openface", "bert"])
def test_extractors_of_this_project_can_be_described(folder, name):
    extractor = get(name)()
    description = describe_extractor(extractor)
    assert folder.note_extractor(extractor) == settings_digest(description)
    assert description["libraries"] == {n: version(n) for n in extractor.libraries}


def path_of(store, key=KEY):
    return Path(store.root, key.path)


@pytest.mark.parametrize("kept", [0, 4, 8, 50, 0.5, 0.99])
def test_a_truncated_file_is_damaged(folder, kept):
    folder.put(KEY, sequence(50))
    other = replace(KEY, clip_id="d" * 64)
    folder.put(other, sequence())
    size = path_of(folder).stat().st_size
    os.truncate(path_of(folder), int(kept * size) if isinstance(kept, float) else kept)
    with pytest.raises(StoreError, match=f"{KEY.path} is damaged") as caught:
        folder.get(KEY)
    assert caught.value.code == "damaged_store"
    (problem,) = folder.verify()
    assert KEY.path in problem
    assert same(folder.get(other), sequence())


def test_every_flipped_bit_is_seen(folder):
    folder.put(KEY, sequence())
    content = path_of(folder).read_bytes()
    passed = []
    for place in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path_of(folder).write_bytes(damaged)
        try:
            assert same(folder.get(KEY), sequence()), place
            passed.append(place)
        except StoreError:
            continue
    # the values came back all the same: nothing was lost
    assert len(passed) < 0.01 * len(content) * 8


@pytest.mark.parametrize("content", [b"not safetensors", b"\x02\0\0\0\0\0\0\0{}"])
def test_another_file_is_damaged(folder, content):
    folder.put(KEY, sequence())
    path_of(folder).write_bytes(content)
    assert len(folder.verify()) == 1


def test_a_killed_writer_leaves_nothing_that_is_seen(folder):
    done = subprocess.run([sys.executable, "-c", KILLED, folder.root], check=False)
    assert done.returncode == -signal.SIGKILL
    assert KEY not in folder
    assert folder.verify() == []
    (left,) = folder.unreachable([KEY])
    assert left.path.endswith(".part")
    folder.put(KEY, sequence())
    folder.remove(folder.unreachable([KEY]))
    assert [stored.path for stored in folder.files()] == [KEY.path]


def test_readers_see_one_of_two_writers(folder):
    versions = [sequence(200, 20, seed) for seed in (1, 2)]
    folder.put(KEY, versions[0])

    def write(which):
        for _ in range(40):
            FeatureStore(folder.root).put(KEY, versions[which])
        return True

    def read(_):
        return all(any(same(folder.get(KEY), version) for version in versions) for _ in range(80))

    with ThreadPoolExecutor(4) as pool:
        results = [*pool.map(write, (0, 1)), *pool.map(read, (0, 1))]
    assert all(results)
    assert [stored.path for stored in folder.files()] == [KEY.path]


def test_unreachable_keeps_the_descriptions_of_what_is_in_use(folder):
    used, unused = (
        folder.note_extractor(Loudness()),
        folder.note_extractor(Loudness(LoudnessConfig(window=9))),
    )
    key = FeatureKey(extractor="loudness", settings=used, clip_id="c" * 64)
    old = replace(key, settings=unused)
    folder.put(key, sequence())
    folder.put(old, sequence())
    found = {stored.path for stored in folder.unreachable([key])}
    assert found == {old.path, f"loudness/{unused[:16]}/extractor.json"}


def test_files_that_the_store_did_not_write_are_never_unreachable(folder):
    folder.put(KEY, sequence())
    for name in ("notes.txt", "covarep/notes.txt", "covarep/5555555555555555/mine.safetensors"):
        path = Path(folder.root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert [stored.path for stored in folder.unreachable([])] == [KEY.path]


def test_a_file_that_the_store_did_not_write_is_never_collected(tmp_path):
    store = FeatureStore(tmp_path)
    store.put(KEY, FeatureSequence.empty(("a",)))
    for name in ("notes.txt", "covarep/film.mp4", "covarep/5555555555555555/mine.safetensors"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    assert [stored.path for stored in store.unreachable([])] == [KEY.path]
    assert store.unreachable([KEY]) == []
