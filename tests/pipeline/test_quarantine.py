from dataclasses import replace

import pytest

from pipeline.errors import StoreError
from pipeline.extraction_plan import ClipJob, ExtractionPlan
from pipeline.quarantine import HEALING_CODES, Quarantine
from pipeline.records import Clip, Failure
from pipeline.store import FeatureKey


def clip(letter):
    return Clip(
        id=letter * 64, path=f"/v/{letter}.mp4", duration=2.0, fps=25.0, sample_rate=16000, size=1,
        modified_ns=0,
    )  # fmt: skip


def plan_of(letters="ab", *, settings="1" * 64, stored=()):
    """Clips from which two extractors read; pairs of letter and extractor are stored."""
    keys, jobs = {}, []
    for letter in letters:
        found = clip(letter)
        keys[found.id] = {
            name: FeatureKey(extractor=name, settings=settings, clip_id=found.id)
            for name in ("covarep", "openface")
        }
        missing = {n: key for n, key in keys[found.id].items() if (letter, n) not in stored}
        if missing:
            jobs.append(ClipJob(clip=found, words=(), missing=missing))
    return ExtractionPlan(keys=keys, jobs=tuple(jobs), stored={})


def failure(letter="a", extractor="covarep", code="crashed"):
    return Failure(
        item=f"/v/{letter}.mp4", step=f"extract:{extractor}", code=code, detail="its process died",
        clip_id=letter * 64,
    )  # fmt: skip


def asked(plan):
    return {job.clip.id[0]: sorted(job.missing) for job in plan.jobs}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "quarantine.jsonl"


@pytest.fixture
def fail(path):
    """Fail some times, each seen by a quarantine of its own."""

    def fail(times, *failures, plan=None):
        for _ in range(times):
            quarantine = Quarantine(path, limit=3)
            left = quarantine.update(failures or [failure()], plan or plan_of())
        return left

    return fail


def test_three_failures_are_enough(path, fail):
    for times in (1, 1):
        assert fail(times) == []
        spared = Quarantine(path, limit=3).spare(plan_of())
        assert asked(spared) == {"a": ["covarep", "openface"], "b": ["covarep", "openface"]}
    fail(1)
    quarantine = Quarantine(path, limit=3)
    spared = quarantine.spare(plan_of())
    assert asked(spared) == {"a": ["openface"], "b": ["covarep", "openface"]}
    assert spared.keys == plan_of().keys
    (held,) = quarantine.held
    assert (held.path, held.extractor, held.count, held.code) == (
        "/v/a.mp4",
        "covarep",
        3,
        "crashed",
    )


def test_a_clip_of_which_nothing_is_left_is_no_job(path, fail):
    fail(3, failure(), failure(extractor="openface"))
    assert asked(Quarantine(path, limit=3).spare(plan_of())) == {"b": ["covarep", "openface"]}


def test_what_is_left_alone_is_recorded_with_the_reason(path, fail):
    fail(3)
    (left,) = Quarantine(path, limit=3).update([failure("b")], plan_of())
    assert (left.step, left.code, left.clip_id) == ("extract:covarep", "quarantined", "a" * 64)
    assert "failed 3 times" in left.detail
    assert "crashed (its process died)" in left.detail
    assert "winnow quarantine clear" in left.detail


def test_the_limit_is_a_setting(path, fail):
    fail(2)
    assert len(Quarantine(path, limit=2).held) == 1
    fail(50)
    assert Quarantine(path, limit=0).held == []
    assert asked(Quarantine(path, limit=0).spare(plan_of())) == asked(plan_of())


@pytest.mark.parametrize("changed", [{"settings": "2" * 64}, {"letters": "c"}])
def test_another_extractor_or_content_is_tried(path, fail, changed):
    fail(3)
    plan = plan_of(**changed)
    assert Quarantine(path, limit=3).spare(plan) == plan
    # and is not said to be left alone, but what is known of the other stays
    assert Quarantine(path, limit=3).update([], plan) == []
    assert len(Quarantine(path, limit=3).held) == 1


def test_success_ends_the_count(path, fail):
    fail(2)
    Quarantine(path, limit=3).update([], plan_of(stored=[("a", "covarep")]))
    fail(2)
    assert Quarantine(path, limit=3).held == []


@pytest.mark.parametrize("code", sorted(HEALING_CODES))
def test_what_heals_without_the_clip_does_not_count(path, fail, code):
    fail(5, failure(code=code))
    assert not path.exists()


def test_failures_without_a_clip_do_not_count(path, fail):
    fail(5, replace(failure(), clip_id=None), failure("z"), failure(extractor="bert"))
    assert not path.exists()


def test_failures_are_forgotten_by_name(path, fail):
    fail(3, failure(), failure("b"), failure("b", "openface"))
    quarantine = Quarantine(path, limit=3)
    for name, count in [
        ("/v/a.mp4", 1), ("a.mp4", 1), ("a" * 64, 1), ("openface", 1), ("b.mp4", 2), (None, 3),
        ("c.mp4", 0),
    ]:  # fmt: skip
        assert len(quarantine.named(name)) == count
    assert quarantine.clips == {"a" * 64, "b" * 64}
    quarantine.forget(failure.key for failure in quarantine.named("b.mp4"))
    again = Quarantine(path, limit=3)
    assert [held.path for held in again.held] == [held.path for held in quarantine.held]
    assert [held.path for held in again.held] == ["/v/a.mp4"]
    quarantine.forget(["no such key"])


def test_a_damaged_list(path):
    path.write_text('{"key": 3}\n')
    with pytest.raises(StoreError, match=r"quarantine\.jsonl, line 1"):
        Quarantine(path, limit=3)
