import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from pebble import ProcessPool

from extractors.base import Extractor
from extractors.errors import MediaError
from extractors.sequence import FeatureSequence
from pipeline.clip_extraction import clip_failure, extract_clip
from pipeline.config import build_extractors
from pipeline.errors import PipelineError
from pipeline.extraction import ExtractionReport, _collect, refuse_all_failed, run_extraction
from pipeline.extraction_plan import ClipJob, plan_extraction
from pipeline.ingest import ingest
from pipeline.segments import SegmentConfig
from pipeline.splits import SplitConfig
from pipeline.store import FeatureStore
from pipeline.stored_words import find_words
from pipeline.workspace import Workspace

SRT = "1\n00:00:00,000 --> 00:00:00,900\nVery good.\n"
AUDIO = {"covarep": {}}
ALL = {"covarep": {}, "openface": {}, "bert": {}}


@dataclass(frozen=True, kw_only=True)
class PickyConfig:
    raises: str = ""


class Picky(Extractor):
    """The sampling rate of a clip's sound, unless it is told to raise."""

    name = "picky"
    version = 1
    modality = "audio"
    source = "audio"
    libraries = ()
    Config = PickyConfig

    def extract(self, media):
        if self.config.raises == "ExtractorError":
            raise MediaError("cannot", code="undecodable")
        if self.config.raises == "ValueError":
            raise ValueError("shapes (3,) and (4,)")
        if self.config.raises == "MemoryError":
            raise MemoryError
        return FeatureSequence(
            values=np.array([[media.info.sample_rate]], np.float32),
            times=np.array([[0.0, media.info.duration]]),
            names=("rate",),
            valid=np.ones(1, np.bool_),
        )


class Steady(Picky):
    name = "steady"


@pytest.fixture
def videos(tmp_path):
    return tmp_path / "videos"


@pytest.fixture
def prepare(tmp_path, make_clip):
    """Make and ingest clips; gives what a plan is made from."""

    def prepare(**clips):
        for name, wanted in clips.items():
            chosen = {"picture": None, "sound": "voice", "words": True} | wanted
            words = chosen.pop("words")
            suffix = ".wav" if chosen["picture"] is None else ".mp4"
            path = make_clip(path=f"videos/{name}{suffix}", **chosen)
            if words:
                path.with_suffix(".srt").write_text(SRT)
        workspace = Workspace(root=tmp_path / "work")
        report = ingest(
            sources=[tmp_path / "videos"],
            workspace=workspace,
            segments=SegmentConfig(),
            split=SplitConfig(),
        )
        return {"clips": report.clips, "words": find_words(workspace.transcripts)}

    return prepare


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def stored(store):
    """Path of every sequence to the time of its writing."""
    root = Path(store.root)
    return {
        str(path.relative_to(root)): path.stat().st_mtime_ns
        for path in root.rglob("[!.]*.safetensors")
    }


def run(plan, store, extractors, **more):
    return run_extraction(
        plan=plan, extractors=extractors, store=store, **({"processes": 1} | more)
    )


def test_nothing_is_decoded_for_what_is_stored(prepare, store, videos):
    found = prepare(a={}, b={"seconds": 0.5})
    extractors = {"picky": Picky()}
    plan = plan_extraction(**found, extractors=extractors, store=store)
    for job in plan.jobs:
        extract_clip(job=job, extractors=extractors, store=store)
    for path in videos.iterdir():
        path.unlink()
    plan = plan_extraction(**found, extractors=extractors, store=store)
    assert plan.jobs == ()
    assert plan.stored == {"picky": 2}
    assert all(key in store for keys in plan.keys.values() for key in keys.values())


@pytest.mark.parametrize(
    ("raises", "code", "told"),
    [
        ("ExtractorError", "undecodable", "MediaError: cannot"),
        ("ValueError", "unexpected", "ValueError: shapes"),
        ("MemoryError", "out_of_memory", "MemoryError"),
    ],
)
def test_what_an_extractor_raises_costs_nothing_else(prepare, store, raises, code, told):
    found = prepare(a={})
    extractors = {"picky": Picky(PickyConfig(raises=raises)), "steady": Steady()}
    (job,) = plan_extraction(**found, extractors=extractors, store=store).jobs
    bad, good = extract_clip(job=job, extractors=extractors, store=store)
    assert good.failure is None
    assert store.get(job.missing["steady"]).values.tolist() == [[16000.0]]
    assert job.missing["picky"] not in store
    assert (bad.failure.code, bad.failure.step) == (code, "extract:picky")
    assert (bad.failure.item, bad.failure.clip_id) == (job.clip.path, job.clip.id)
    assert bad.failure.detail.startswith(told)


def test_a_store_that_cannot_be_written_is_not_the_clip_s_fault(prepare, tmp_path):
    found = prepare(a={})
    store = FeatureStore(tmp_path / "store")
    extractors = {"picky": Picky()}
    (job,) = plan_extraction(**found, extractors=extractors, store=store).jobs
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "store").touch()
    (outcome,) = extract_clip(job=job, extractors=extractors, store=store)
    assert outcome.failure.code == "not_written"
    assert "store" in outcome.failure.detail


def test_a_full_disk_has_a_code_of_its_own(prepare, store):
    class Full(FeatureStore):
        def put(self, key, sequence):
            with Path("/dev/full").open("wb", buffering=0) as stream:
                stream.write(sequence.values.tobytes())

    found = prepare(a={})
    extractors = {"picky": Picky()}
    (job,) = plan_extraction(**found, extractors=extractors, store=store).jobs
    (outcome,) = extract_clip(job=job, extractors=extractors, store=Full(store.root))
    assert outcome.failure.code == "disk_full"


def test_a_clip_that_changed_since_is_refused(prepare, store, make_clip):
    found = prepare(a={})
    extractors = {"picky": Picky()}
    (job,) = plan_extraction(**found, extractors=extractors, store=store).jobs
    make_clip(path="videos/a.wav", picture=None, sound="silence", seconds=2.0)
    (outcome,) = extract_clip(job=job, extractors=extractors, store=store)
    assert outcome.failure.code == "changed_since_ingest"
    Path(job.clip.path).unlink()
    (outcome,) = extract_clip(job=job, extractors=extractors, store=store)
    assert outcome.failure.code == "missing_file"
    assert stored(store) == {}


@pytest.mark.parametrize(
    ("function", "argument", "limit", "code"),
    [(os._exit, 3, None, "crashed"), (time.sleep, 60, 0.5, "timed_out")],
)
def test_a_process_that_dies_or_hangs_is_a_failure(prepare, store, function, argument, limit, code):
    found = prepare(a={})
    extractors = {"picky": Picky(), "steady": Steady()}
    (job,) = plan_extraction(**found, extractors=extractors, store=store).jobs
    # one of the two was stored before the end
    store.put(job.missing["steady"], FeatureSequence.empty(("rate",)))
    with ProcessPool(max_workers=1, context=get_context("spawn")) as pool:
        future = pool.schedule(function, args=(argument,), timeout=limit)
        while not future.done():
            time.sleep(0.05)
        lost, kept = _collect(future, job, store)
    assert (lost.extractor, lost.failure.code) == ("picky", code)
    assert lost.failure.step == "extract:picky"
    assert (kept.extractor, kept.failure) == ("steady", None)


def test_reports_of_shards_add_up(prepare, store):
    parts = [
        ExtractionReport(
            extracted={"a": n, "b": 0},
            stored={"a": 7, "b": 8},
            failed={"a": 1, "b": n},
            seconds={"a": 0.5, "b": n},
            clip_seconds=10.0 * n,
            failures=(),
        )
        for n in (1, 2, 3)
    ]
    whole = ExtractionReport.merged(parts)
    assert whole.facts() == {
        "extracted": {"a": 6, "b": 0},
        "stored": {"a": 7, "b": 8},
        "failed": {"a": 3, "b": 6},
        "seconds": {"a": 1.5, "b": 6},
        "clip_seconds": 60.0,
    }


def test_only_if_every_clip_fails_it_is_an_incident(prepare, store):
    found = prepare(a={}, b={"seconds": 0.5})
    plan = plan_extraction(**found, extractors=build_extractors(AUDIO), store=store)
    nothing = run(replace(plan, jobs=()), store, AUDIO)
    refuse_all_failed(replace(plan, jobs=()), nothing)
    failures = [
        clip_failure(job.clip, extractor="covarep", code=code, detail=f"why {code}")
        for job, code in zip(plan.jobs * 2, ("slow", "gone", "gone", "gone"), strict=True)
    ]
    refuse_all_failed(plan, replace(nothing, failures=(failures[0],)))
    refuse_all_failed(plan, replace(nothing, failures=tuple(failures), extracted={"covarep": 1}))
    with pytest.raises(PipelineError, match=r"all 2 clips .* 3 with gone .*: why gone\)") as caught:
        refuse_all_failed(plan, replace(nothing, failures=tuple(failures)))
    assert caught.value.code == "all_failed"
    # beside others that were extracted before, so few may just be broken
    others = replace(plan, stored={"covarep": 1})
    refuse_all_failed(others, replace(nothing, failures=tuple(failures)))
    third = replace(plan.jobs[0], clip=replace(plan.jobs[0].clip, id="c" * 64))
    more = replace(plan, jobs=(*plan.jobs, third), stored={"covarep": 1})
    failures.append(clip_failure(third.clip, extractor="covarep", code="gone", detail="why"))
    third_too = replace(nothing, failures=tuple(failures))
    with pytest.raises(PipelineError, match="all 3 clips"):
        refuse_all_failed(more, third_too)
    # those that failed before are tried again, and tell nothing new
    refuse_all_failed(more, third_too, before={third.clip.id})
    refuse_all_failed(more, third_too, before={job.clip.id for job in more.jobs})
    with pytest.raises(PipelineError, match="all 3 clips"):
        refuse_all_failed(replace(more, stored={}), third_too, before={third.clip.id})


def test_nothing_to_do_starts_no_process(prepare, store):
    found = prepare(a={})
    plan = plan_extraction(**found, extractors=build_extractors(AUDIO), store=store)
    report = run(replace(plan, jobs=()), store, AUDIO)
    assert report.extracted == report.failed == {"covarep": 0}
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_every_extractor_in_processes_of_their_own(prepare, store, videos):
    found = prepare(whole={"picture": "moving"}, gone={"seconds": 0.5}, radio={"words": False})
    extractors = build_extractors(ALL)
    plan = plan_extraction(**found, extractors=extractors, store=store)
    (videos / "gone.wav").unlink()
    told = []
    report = run(plan, store, ALL, processes=2, on_clip=told.append)
    assert sorted(clip.path for clip in told) == sorted(clip.path for clip in found["clips"])
    assert report.extracted == {"covarep": 2, "openface": 1, "bert": 1}
    assert report.failed == {"covarep": 1, "openface": 0, "bert": 1}
    assert {(f.item, f.step, f.code) for f in report.failures} == {
        (str(videos / "gone.wav"), f"extract:{name}", "missing_file")
        for name in ("covarep", "bert")
    }
    assert report.clip_seconds == pytest.approx(sum(clip.duration for clip in found["clips"]))
    assert report.seconds["covarep"] > 0
    assert store.verify() == []

    by_name = {Path(clip.path).stem: plan.keys[clip.id] for clip in found["clips"]}
    face = store.get(by_name["whole"]["openface"])
    # no face in it: pictures without a measurement, which is no failure
    assert len(face) == 25
    assert not face.valid.any()
    assert store.get(by_name["whole"]["covarep"]).valid.any()
    assert store.get(by_name["whole"]["bert"]).valid.all()

    before = stored(store)
    again = plan_extraction(**found, extractors=extractors, store=store)
    assert [Path(job.clip.path).stem for job in again.jobs] == ["gone"]
    assert again.stored == {"covarep": 2, "openface": 1, "bert": 1}

    found = prepare(gone={"seconds": 0.5}, new={"seconds": 0.7})
    again = plan_extraction(**found, extractors=extractors, store=store)
    report = run(again, store, ALL)
    assert report.extracted == {"covarep": 2, "openface": 0, "bert": 2}
    assert report.stored == {"covarep": 2, "openface": 1, "bert": 1}
    after = stored(store)
    assert before.items() <= after.items()
    assert len(after) == len(before) + 4
    assert plan_extraction(**found, extractors=extractors, store=store).jobs == ()


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_one_clip(prepare, store):
    found = prepare(**{name: {"seconds": 20 + i} for i, name in enumerate("abc")})
    plan = plan_extraction(**found, extractors=build_extractors(AUDIO), store=store)

    def kill_next(clip):
        if not told:
            # the worker has the next clip in hand by now
            time.sleep(0.2)
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)
        told.append(clip)

    told = []
    report = run(plan, store, AUDIO, on_clip=kill_next)
    assert len(told) == 3
    assert (report.extracted, report.failed) == ({"covarep": 2}, {"covarep": 1})
    assert [failure.code for failure in report.failures] == ["crashed"]
    assert report.failures[0].detail == "its process died (SIGKILL)"
    again = plan_extraction(**found, extractors=build_extractors(AUDIO), store=store)
    assert [job.clip.id for job in again.jobs] == [report.failures[0].clip_id]


@pytest.mark.slow
def test_a_run_that_is_killed_keeps_what_it_stored(prepare, store, tmp_path):
    prepare(**{name: {"seconds": 3 + i, "words": False} for i, name in enumerate("abcdef")})
    command = [
        str(Path(sys.executable).parent / "winnow"), "extract",
        "--workspace", str(tmp_path / "work"), "--set", f"store={store.root}",
        "--set", "extractors={covarep: {}}", "--set", "jobs=2",
    ]  # fmt: skip
    killed = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(stored(store)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    kept = stored(store)
    assert 2 <= len(kept) < 6
    assert store.verify() == []

    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"covarep: {6 - len(kept)} extracted, {len(kept)} stored before, 0 failed" in done.stdout
    assert kept.items() <= stored(store).items()
    assert len(stored(store)) == 6
    assert store.verify() == []


def test_a_job_names_what_is_missing(prepare, store):
    found = prepare(a={})
    (clip,) = found["clips"]
    plan = plan_extraction(**found, extractors={"picky": Picky(), "steady": Steady()}, store=store)
    assert plan.jobs == (
        ClipJob(clip=clip, words=found["words"][clip.id], missing=plan.keys[clip.id]),
    )
    store.put(plan.keys[clip.id]["picky"], FeatureSequence.empty(("rate",)))
    again = plan_extraction(**found, extractors={"picky": Picky(), "steady": Steady()}, store=store)
    assert set(again.jobs[0].missing) == {"steady"}
    assert again.stored == {"picky": 1, "steady": 0}
