from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.clip_pool import close_idle_pools
from pipeline.config import build_extractors
from pipeline.errors import SourceError, StoreError
from pipeline.extraction_plan import plan_extraction
from pipeline.ingest import ingest
from pipeline.segments import SegmentConfig
from pipeline.shard_extraction import Shard, extract_here
from pipeline.splits import SplitConfig
from pipeline.store import FeatureStore
from pipeline.workspace import Workspace

AUDIO = {"covarep": {}}


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


@pytest.fixture
def plan(tmp_path, make_clip, store):
    for number in range(2):
        make_clip(path=f"videos/{number}.wav", picture=None, seconds=0.4 + number / 10)
    report = ingest(
        sources=[tmp_path / "videos"],
        workspace=Workspace(root=tmp_path / "work"),
        segments=SegmentConfig(),
        split=SplitConfig(),
    )
    return plan_extraction(
        clips=report.clips, words={}, extractors=build_extractors(AUDIO), store=store
    )


def test_a_machine_without_the_clips_says_so(plan, store):
    moved = [replace(job, clip=replace(job.clip, path="/nowhere/a.wav")) for job in plan.jobs]
    shard = Shard(replace(plan, jobs=tuple(moved)), extractors=AUDIO, store=store)
    with pytest.raises(SourceError, match=r"/nowhere: not there on .* mount it") as caught:
        extract_here(shard, processes=1)
    assert caught.value.code == "not_on_worker"


def test_a_machine_with_another_store_of_the_same_name_says_so(plan, store):
    (description,) = Path(store.root).rglob("extractor.json")
    description.unlink()
    with pytest.raises(StoreError, match="not the store that was planned with") as caught:
        extract_here(Shard(plan, extractors=AUDIO, store=store), processes=1)
    assert caught.value.code == "not_on_worker"
    assert list(store.files()) == []


@pytest.mark.slow
def test_what_a_lost_worker_had_stored_is_not_extracted_again(plan, store):
    shard = Shard(plan, extractors=AUDIO, store=store)
    first = Shard(replace(plan, jobs=plan.jobs[:1]), extractors=AUDIO, store=store)
    try:
        assert extract_here(first, processes=1).extracted == {"covarep": 1}
        (path,) = Path(store.root).rglob("*.safetensors")
        written = path.stat().st_mtime_ns
        assert extract_here(shard, processes=1).extracted == {"covarep": 1}
    finally:
        close_idle_pools()
    assert path.stat().st_mtime_ns == written
    assert all(job.missing["covarep"] in store for job in plan.jobs)
