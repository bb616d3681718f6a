"""A real server that speaks S3, on loopback."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import torch

from extractors.sequence import FeatureSequence
from pipeline.config import RunConfig, build_extractors
from pipeline.errors import ConfigError, StoreError
from pipeline.extraction import run_extraction
from pipeline.extraction_plan import plan_extraction
from pipeline.failure_log import FailureLog
from pipeline.ingest import ingest
from pipeline.packing import pack_segments
from pipeline.records import Segment
from pipeline.segments import SegmentConfig
from pipeline.splits import SplitConfig
from pipeline.store import WORTH_LISTING, FeatureKey, FeatureStore
from pipeline.store_files import StoreFiles, refuse_secrets
from pipeline.workspace import Workspace

KEY = FeatureKey(extractor="covarep", settings="5" * 64, clip_id="c" * 64)
UPLOAD = """
import sys
import numpy as np
from extractors.sequence import FeatureSequence
from pipeline.store import FeatureKey, FeatureStore
rows = 200_000
start = np.arange(rows) / 100
sequence = FeatureSequence(
    values=np.random.default_rng(0).standard_normal((rows, 20)).astype(np.float32),
    times=np.stack([start, start + 0.01], axis=1),
    names=tuple(f"c{i}" for i in range(20)),
    valid=np.ones(rows, np.bool_),
)
key = FeatureKey(extractor="covarep", settings="5" * 64, clip_id="c" * 64)
FeatureStore(sys.argv[1], options={"endpoint_url": sys.argv[2]}).put(key, sequence)
"""


def sequence(seed=0):
    start = np.arange(5) / 25
    return FeatureSequence(
        values=np.random.default_rng(seed).standard_normal((5, 2)).astype(np.float32),
        times=np.stack([start, start + 0.04], axis=1),
        names=("a", "b"),
        valid=np.ones(5, np.bool_),
    )


def keys(count):
    return [replace(KEY, clip_id=f"{number:064x}") for number in range(count)]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Endpoint of an S3-compatible server."""
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log = tmp_path_factory.mktemp("s3") / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture
def bucket(server, monkeypatch):
    """URL of a new bucket's folder; credentials are in the environment."""
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    name = f"features-{uuid4()}"
    boto3.client("s3", endpoint_url=server).create_bucket(Bucket=name)
    return f"s3://{name}/winnow"


@pytest.fixture
def store(server, bucket):
    return FeatureStore(bucket, options={"endpoint_url": server})


def test_what_a_folder_does_a_bucket_does(store):
    assert list(store.files()) == []
    assert KEY not in store
    store.put(KEY, sequence())
    assert np.array_equal(store.get(KEY).values, sequence().values)
    assert KEY in store
    (stored,) = store.files()
    assert (stored.path, store.verify()) == (KEY.path, [])
    assert abs(stored.modified - time.time()) < 600
    store.put(KEY, sequence(seed=1))
    assert np.array_equal(store.get(KEY).values, sequence(seed=1).values)
    assert store.unreachable([KEY]) == []
    store.remove(store.unreachable([]))
    with pytest.raises(StoreError, match="is not there") as caught:
        store.get(KEY)
    assert caught.value.code == "not_stored"


def test_a_damaged_object_is_found(store, server):
    import boto3

    store.put(KEY, sequence())
    name, _, folder = store.root.removeprefix("s3://").partition("/")
    client = boto3.client("s3", endpoint_url=server)
    content = client.get_object(Bucket=name, Key=f"{folder}/{KEY.path}")["Body"].read()
    client.put_object(Bucket=name, Key=f"{folder}/{KEY.path}", Body=content[:-3] + b"abc")
    (problem,) = store.verify()
    assert KEY.path in problem


@pytest.mark.parametrize("count", [3, WORTH_LISTING + 3])
def test_presence_is_the_same_asked_at_once_or_one_by_one(store, tmp_path, count):
    for each in (store, FeatureStore(tmp_path / "folder")):
        for key in keys(count)[1:]:
            each.put(key, sequence())
        wanted = keys(count + 2)
        assert each.present(wanted) == {key for key in wanted if key in each}
        assert each.present(wanted) == set(keys(count)[1:])


def test_others_see_at_once_what_is_written(store, server):
    other = FeatureStore(store.root, options={"endpoint_url": server})
    assert other.present(keys(WORTH_LISTING)) == set()
    store.put(keys(1)[0], sequence())
    assert other.present(keys(WORTH_LISTING)) == set(keys(1))


@pytest.mark.parametrize("what", ["bucket", "server"])
def test_what_cannot_be_reached_is_told(server, bucket, what):
    url = "s3://nobody-made-this/x" if what == "bucket" else bucket
    endpoint = server if what == "bucket" else "http://127.0.0.1:9"
    options = {"endpoint_url": endpoint, "config_kwargs": {"retries": {"max_attempts": 0}}}
    with pytest.raises(StoreError, match="store_options names its endpoint_url") as caught:
        FeatureStore(url, options=options).put(KEY, sequence())
    assert caught.value.code == "store_unreachable"


@pytest.mark.parametrize(
    "options",
    [
        {"key": "AKIA"},
        {"secret": "hidden"},
        {"client_kwargs": {"aws_secret_access_key": "hidden"}},
        {"token": {"private_key": "hidden"}},
    ],
)
def test_secrets_are_refused_and_not_repeated(options):
    with pytest.raises(ConfigError, match="AWS_PROFILE") as caught:
        refuse_secrets(options)
    assert "hidden" not in str(caught.value)
    with pytest.raises(ValueError, match="store_options"):
        RunConfig(store="s3://features", store_options=options)


def test_options_that_are_no_secrets_are_taken():
    options = {"endpoint_url": "http://127.0.0.1:9000", "anon": True, "token": "google_default"}
    assert RunConfig(store_options=options).store_options == options


@pytest.mark.parametrize("url", ["nothing://bucket/x", "s3x://bucket"])
def test_an_unknown_kind_of_store_is_told(url):
    with pytest.raises(ConfigError, match="s3://bucket/folder"):
        StoreFiles(url, {})


class Slow:
    """Passes bytes on to a server, but stops after so many of them."""

    def __init__(self, target, limit):
        self._target, self._limit = target, limit
        self.full = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source, sink, counted):
        passed = 0
        # the pump of the other direction closes both, too
        with source, sink, suppress(OSError):
            while part := source.recv(65536):
                if counted and (passed := passed + len(part)) > self._limit:
                    self.full.set()
                    # until the client is gone
                    while source.recv(1):
                        time.sleep(0.05)
                    return
                sink.sendall(part)

    def close(self):
        self._listener.close()


@pytest.mark.slow
def test_a_writer_that_is_killed_leaves_no_half_object(store, server):
    host, port = server.removeprefix("http://").split(":")
    slow = Slow((host, int(port)), limit=1_000_000)
    command = [sys.executable, "-c", UPLOAD, store.root, slow.address]
    process = subprocess.Popen(command, env=os.environ | {"AWS_MAX_ATTEMPTS": "1"})
    try:
        # 1 of 20 MB is on the server's side
        assert slow.full.wait(timeout=120)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    finally:
        slow.close()
    time.sleep(1.0)
    assert KEY not in store
    assert list(store.files()) == []
    store.put(KEY, sequence())
    assert store.verify() == []


def test_many_clips_of_a_bucket_are_packed_as_those_of_a_folder(store, tmp_path, monkeypatch):
    """They are read ahead of one another: the slower first ones come first all the same."""
    folder, wanted = FeatureStore(tmp_path / "folder"), keys(20)
    for number, key in enumerate(wanted):
        for each in (store, folder):
            each.put(key, sequence(seed=number))
    store.put(wanted[3], sequence(seed=99))
    Path(folder.root, wanted[7].path).write_bytes(b"damaged")
    store._files.write(wanted[7].path, b"damaged")
    folder.put(wanted[3], sequence(seed=99))
    segments = [
        Segment(id=f"{key.clip_id}:0-1", clip_id=key.clip_id, start=0.0, end=1.0, text="")
        for key in wanted
    ]
    at_once = set()
    get = FeatureStore.get

    def slower(self, key):
        at_once.add(threading.get_ident())
        time.sleep(0.002 * (20 - int(key.clip_id, 16)))
        return get(self, key)

    monkeypatch.setattr(FeatureStore, "get", slower)

    def pack(source, place):
        by_clip, log = {key.clip_id: {"covarep": key} for key in wanted}, FailureLog()
        made = pack_segments(
            segments=segments, keys=by_clip, store=source, folder=tmp_path / place, log=log
        )
        return made, [failure.code for failure in log.failures]

    (ours, told), (theirs, also) = pack(folder, "one"), pack(store, "two")
    assert told == also == ["damaged_store", "no_features"]
    assert ours.ids == theirs.ids == tuple(s.id for n, s in enumerate(segments) if n != 7)
    assert ours.digest == theirs.digest
    assert torch.equal(ours.modalities["audio"].values, theirs.modalities["audio"].values)
    assert len(at_once) > 2


def test_a_bucket_that_is_lost_while_it_is_read_is_no_damage(store, tmp_path, monkeypatch):
    store.put(KEY, sequence())
    segment = Segment(id=f"{KEY.clip_id}:0-1", clip_id=KEY.clip_id, start=0.0, end=1.0, text="")

    def lost(self, path):
        with self._reached():
            raise ConnectionResetError("reset")

    monkeypatch.setattr(StoreFiles, "read", lost)
    with pytest.raises(StoreError, match="ConnectionResetError") as caught:
        pack_segments(
            segments=[segment], keys={KEY.clip_id: {"covarep": KEY}}, store=store,
            folder=tmp_path / "packed", log=FailureLog(),
        )  # fmt: skip
    assert caught.value.code == "store_unreachable"
    assert list((tmp_path / "packed").iterdir()) == []


@pytest.mark.slow
def test_extraction_and_packing_with_a_bucket(store, server, make_clip, tmp_path):
    """Workers get the store's options; what they stored is what a folder gets."""
    audio = {"covarep": {}}
    make_clip(path="videos/a.wav", picture=None, seconds=0.6)
    work = Workspace(root=tmp_path / "work")
    found = ingest(
        sources=[tmp_path / "videos"],
        workspace=work,
        segments=SegmentConfig(),
        split=SplitConfig(),
    )
    built = build_extractors(audio)
    folder = FeatureStore(tmp_path / "folder")
    for each in (store, folder):
        plan = plan_extraction(clips=found.clips, words={}, extractors=built, store=each)
        report = run_extraction(plan=plan, extractors=audio, store=each, processes=1)
        assert report.extracted == {"covarep": 1}
    (key,) = plan.keys[found.clips[0].id].values()
    assert np.array_equal(store.get(key).values, folder.get(key).values, equal_nan=True)
    again = plan_extraction(clips=found.clips, words={}, extractors=built, store=store)
    assert again.jobs == ()
    packed = pack_segments(
        segments=found.segments,
        keys=plan.keys,
        store=store,
        folder=work.packed,
        log=FailureLog(),
    )
    assert len(packed.ids) == len(found.segments)
