import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.extraction_plan import ClipJob, ExtractionPlan
from pipeline.records import Clip
from pipeline.sharding import divide_plan
from pipeline.store import FeatureKey


def plan_of(durations):
    jobs, keys = [], {}
    for number, duration in enumerate(durations):
        identity = hashlib.sha256(str(number).encode()).hexdigest()
        clip = Clip(
            id=identity, path=f"/{number}.mp4", duration=duration, fps=25.0, sample_rate=None,
            size=1, modified_ns=1,
        )  # fmt: skip
        key = FeatureKey(extractor="openface", settings="5" * 64, clip_id=identity)
        keys[identity] = {"openface": key}
        jobs.append(ClipJob(clip=clip, words=(), missing={"openface": key}))
    return ExtractionPlan(keys=keys, jobs=tuple(jobs), stored={"openface": 0})


def sizes(durations, **more):
    return [len(shard.jobs) for shard in divide_plan(plan_of(durations), **more)]


@given(
    st.lists(st.floats(0.1, 2000.0), max_size=300),
    st.floats(0.01, 20.0),
)
def test_every_clip_is_in_one_shard_with_its_keys(durations, rate):
    plan = plan_of(durations)
    shards = divide_plan(plan, seconds_per_second=rate)
    assert [job for shard in shards for job in shard.jobs] == list(plan.jobs)
    for shard in shards:
        assert shard.jobs
        assert shard.keys == {job.clip.id: plan.keys[job.clip.id] for job in shard.jobs}
        assert shard.stored == plan.stored
        assert len(shard.jobs) <= 64
        work = rate * sum(job.clip.duration for job in shard.jobs)
        if shard is not shards[-1]:
            assert (len(shard.jobs) >= 16 and work >= 20.0) or work >= 600 or len(shard.jobs) == 64


def test_nothing_missing_makes_no_shard():
    assert divide_plan(plan_of([])) == []


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        # 16 clips of 10 s are 160 s of work
        ([10.0] * 40, [16, 24]),
        # 64 clips of 0.1 s are 6 s of work, and more would make Prefect wait
        ([0.1] * 150, [64, 64, 22]),
        # half an hour each: nobody waits for sixteen
        ([1800.0] * 3, [1, 1, 1]),
        ([5.0], [1]),
    ],
)
def test_the_size_of_a_shard_follows_its_work(durations, expected):
    assert sizes(durations) == expected


def test_measured_work_counts():
    assert sizes([1.0] * 64, seconds_per_second=2.0) == [16, 16, 16, 16]
    assert sizes([1.0] * 64, seconds_per_second=0.5) == [64]


@pytest.mark.parametrize("count", [8_000, 20_000])
@pytest.mark.parametrize("durations", [(0.1,), (60.0,), (3600.0,), (0.1, 0.1, 2000.0)])
def test_a_flow_has_at_most_500_tasks(count, durations):
    assert len(sizes([durations[number % len(durations)] for number in range(count)])) <= 500
