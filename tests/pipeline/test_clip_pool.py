import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest

import pipeline.clip_pool
from pipeline.clip_pool import close_idle_pools, warm_pool
from pipeline.config import build_extractors
from pipeline.extraction import run_extraction
from pipeline.extraction_plan import plan_extraction
from pipeline.ingest import ingest
from pipeline.segments import SegmentConfig
from pipeline.splits import SplitConfig
from pipeline.store import FeatureStore
from pipeline.workspace import Workspace

AUDIO = {"covarep": {}}


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


@pytest.fixture
def plan(tmp_path, make_clip, store):
    def plan(count):
        for number in range(count):
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

    return plan


@pytest.fixture(autouse=True)
def no_processes_are_left():
    yield
    close_idle_pools()
    assert multiprocessing.active_children() == []


def test_the_same_work_gets_the_same_pool(store, tmp_path):
    with warm_pool(extractors=AUDIO, store=store, processes=1) as one:
        with warm_pool(extractors=AUDIO, store=FeatureStore(store.root), processes=1) as same:
            assert same is one
        other = FeatureStore(tmp_path / "other")
        with warm_pool(extractors=AUDIO, store=other, processes=1) as another:
            assert another is not one
    with warm_pool(extractors=AUDIO, store=store, processes=1) as again:
        assert again is one
    close_idle_pools()
    with warm_pool(extractors=AUDIO, store=store, processes=1) as new:
        assert new is not one


@pytest.mark.slow
def test_processes_stay_and_are_replaced_when_they_die(plan, store):
    """One pool for three plans; idle processes that are killed cost nothing."""
    whole = plan(3)
    with warm_pool(extractors=AUDIO, store=store, processes=1) as pool:

        def run(number):
            part = replace(whole, jobs=(whole.jobs[number],))
            return run_extraction(plan=part, extractors=AUDIO, store=store, processes=1, pool=pool)

        assert run(0).extracted == {"covarep": 1}
        (worker,) = multiprocessing.active_children()
        assert run(1).extracted == {"covarep": 1}
        assert multiprocessing.active_children() == [worker]
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        time.sleep(1.0)
        report = run(2)
        assert (report.extracted, report.failed) == ({"covarep": 1}, {"covarep": 0})
        assert store.verify() == []
    assert not [job for job in whole.jobs if job.missing["covarep"] not in store]


@pytest.mark.slow
def test_a_clip_that_hangs_the_decoder_is_killed(plan, store, tmp_path, monkeypatch):
    """Nobody writes into the pipe, so that to open it never ends."""
    monkeypatch.setattr(pipeline.clip_pool, "PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr(pipeline.clip_pool, "PATIENCE_FACTOR", 600.0)
    hanging = tmp_path / "hanging.wav"
    os.mkfifo(hanging)
    whole = plan(2)
    status = hanging.stat()
    clip = replace(
        whole.jobs[0].clip,
        path=str(hanging),
        size=0,
        modified_ns=status.st_mtime_ns,
        # so that the other clip may take minutes
        duration=0.001,
    )
    jobs = (replace(whole.jobs[0], clip=clip), whole.jobs[1])
    report = run_extraction(
        plan=replace(whole, jobs=jobs), extractors=AUDIO, store=store, processes=1
    )
    assert [(f.item, f.code) for f in report.failures] == [(str(hanging), "timed_out")]
    assert "took longer than 3 s" in report.failures[0].detail
    assert report.extracted == {"covarep": 1}
    assert jobs[1].missing["covarep"] in store
