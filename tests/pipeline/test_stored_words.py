import hashlib
import tracemalloc

import pytest

from extractors.words import Word
from pipeline.config import build_extractors
from pipeline.errors import SourceError
from pipeline.extraction_plan import plan_extraction
from pipeline.manifest import write_manifest
from pipeline.records import Clip, Transcript
from pipeline.store import FeatureStore
from pipeline.stored_words import find_words

BERT = {"bert": {}}


def said(number, *text):
    words = tuple(Word(text=t, start=k / 8, end=(k + 1) / 8) for k, t in enumerate(text))
    return Transcript(clip_id=clip(number).id, path="é.srt", digest="", words=words)


def clip(number):
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return Clip(
        id=digest, path=f"{number}.mp4", duration=1.0, fps=25.0, sample_rate=16000, size=1,
        modified_ns=0,
    )  # fmt: skip


def test_words_are_read_where_they_are_written(tmp_path):
    manifest = tmp_path / "transcripts.jsonl"
    told = [said(0, "Très", "good."), said(1), said(2, "No.")]
    write_manifest(manifest, told)
    found = find_words(manifest)
    assert {name: words.read() for name, words in found.items()} == {
        told[0].clip_id: told[0].words,
        told[2].clip_id: told[2].words,
    }
    assert find_words(tmp_path / "none.jsonl") == {}


@pytest.mark.parametrize("now", [[said(0, "Bad.")], [said(1, "Good.")], [said(0)], []])
def test_other_words_than_planned_are_refused(tmp_path, now):
    manifest = tmp_path / "transcripts.jsonl"
    write_manifest(manifest, [said(0), said(0, "Good.")])
    (words,) = find_words(manifest).values()
    write_manifest(manifest, now)
    with pytest.raises(SourceError, match="planned with; run again") as caught:
        words.read()
    assert caught.value.code == "changed_since_ingest"


def test_another_ingest_moves_the_lines(tmp_path):
    manifest = tmp_path / "transcripts.jsonl"
    told = [said(0, "Good."), said(1, "Good."), said(2, "Better."), said(3, "Best.")]
    write_manifest(manifest, told[:3])
    found = find_words(manifest)
    write_manifest(manifest, [told[3], told[2], told[0], said(1, "Bad.")])
    assert found[told[0].clip_id].read() == told[0].words
    assert found[told[2].clip_id].read() == told[2].words
    # the words that were planned, now only another clip's
    with pytest.raises(SourceError):
        found[told[1].clip_id].read()


def test_keys_are_those_of_workspaces_that_are_there(tmp_path):
    """The digest is SHA-256 of compact JSON with sorted keys: another one loses every feature."""
    manifest = tmp_path / "transcripts.jsonl"
    write_manifest(manifest, [said(0, "Very", "good.")])
    wanted = hashlib.sha256(
        b'[{"end":0.125,"start":0.0,"text":"Very"},{"end":0.25,"start":0.125,"text":"good."}]'
    ).hexdigest()
    assert find_words(manifest)[clip(0).id].digest == wanted


def test_a_plan_does_not_hold_the_words(tmp_path):
    """200 words of a clip take 16 kB and more where they are written, and more in memory."""
    manifest, count = tmp_path / "transcripts.jsonl", 300
    write_manifest(manifest, (said(n, *["word"] * 200) for n in range(count)))
    clips = [clip(n) for n in range(count)]
    store = FeatureStore(tmp_path / "store")
    extractors = build_extractors(BERT)
    plan_extraction(clips=clips, words={}, extractors=extractors, store=store)
    tracemalloc.start()
    plan = plan_extraction(
        clips=clips, words=find_words(manifest), extractors=extractors, store=store
    )
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(plan.jobs) == count
    assert most / count < 4000
    assert manifest.stat().st_size / count > 4 * 4000
