from dataclasses import replace

import numpy as np
import pytest

from extractors.sequence import FeatureSequence
from extractors.words import Word
from pipeline.config import build_extractors
from pipeline.extraction_plan import plan_extraction
from pipeline.manifest import write_manifest
from pipeline.records import Clip, Transcript
from pipeline.store import FeatureStore
from pipeline.stored_words import find_words

ALL = {"covarep": {}, "openface": {}, "bert": {}}
WORDS = (Word(text="Very", start=0.0, end=0.5), Word(text="good.", start=0.5, end=0.9))


def clip(letter, *, fps=25.0, sample_rate=16000):
    return Clip(
        id=letter * 64, path=f"/v/{letter}.mp4", duration=1.0, fps=fps, sample_rate=sample_rate,
        size=1, modified_ns=0,
    )  # fmt: skip


def spoken(letter, words=WORDS):
    return Transcript(clip_id=letter * 64, path=f"/v/{letter}.srt", digest="", words=words)


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


@pytest.fixture
def plan(store, tmp_path):
    def plan(clips, transcripts=(), extractors=ALL):
        write_manifest(tmp_path / "transcripts.jsonl", transcripts)
        return plan_extraction(
            clips=clips, words=find_words(tmp_path / "transcripts.jsonl"),
            extractors=build_extractors(extractors), store=store,
        )  # fmt: skip

    return plan


def test_streams_that_are_absent_are_not_asked_for(plan):
    mute, radio, whole = clip("a", sample_rate=None), clip("b", fps=None), clip("c")
    made = plan([mute, radio, whole], [spoken("c")])
    assert {job.clip: set(job.missing) for job in made.jobs} == {
        mute: {"openface"},
        radio: {"covarep"},
        whole: {"covarep", "openface", "bert"},
    }
    assert {clip_id: set(keys) for clip_id, keys in made.keys.items()} == {
        job.clip.id: set(job.missing) for job in made.jobs
    }
    assert made.stored == {"covarep": 0, "openface": 0, "bert": 0}
    assert [job.read_words() for job in made.jobs] == [(), (), WORDS]


def test_what_is_stored_is_not_missing(plan, store):
    made = plan([clip("a"), clip("b", fps=None)], extractors={"covarep": {}, "openface": {}})
    empty = FeatureSequence(
        values=np.zeros((0, 1), np.float32), times=np.zeros((0, 2)), names=("x",),
        valid=np.zeros(0, np.bool_),
    )  # fmt: skip
    for job in made.jobs:
        store.put(job.missing["covarep"], empty)
    again = plan([clip("a"), clip("b", fps=None)], extractors={"covarep": {}, "openface": {}})
    (job,) = again.jobs
    assert (job.clip, set(job.missing)) == (clip("a"), {"openface"})
    assert again.stored == {"covarep": 2, "openface": 0}
    assert again.keys == made.keys


def test_other_settings_are_missing(plan):
    first, other = (
        plan([clip("a")], extractors={"covarep": settings}).keys["a" * 64]["covarep"].path
        for settings in ({}, {"columns": "urfunny"})
    )
    assert first != other


def test_other_words_are_missing_for_who_reads_them(plan):
    keys = [plan([clip("a")], [spoken("a", words)]).keys["a" * 64] for words in (WORDS, WORDS[:1])]
    assert keys[0]["covarep"] == keys[1]["covarep"]
    assert keys[0]["bert"].path != keys[1]["bert"].path


def test_where_the_times_of_words_are_from_changes_no_feature(plan):
    said = tuple(replace(word, source="aligned", confidence=0.5) for word in WORDS)
    first, other = (plan([clip("a")], [spoken("a", words)]).keys for words in (WORDS, said))
    assert first == other
