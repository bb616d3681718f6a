import os
from datetime import datetime

from extractors.errors import MediaError
from pipeline.errors import SourceError
from pipeline.failure_log import FailureLog, printable
from pipeline.manifest import read_manifest, write_manifest
from pipeline.records import Failure


def test_errors_become_records_in_order():
    log = FailureLog()
    log.record(MediaError("a.mp4: bad", code="truncated"), item="a.mp4", step="ingest")
    log.record(SourceError("b.srt: odd"), item="b.srt", step="transcript", clip_id="c")
    told = [(f.item, f.step, f.code, f.detail, f.clip_id) for f in log.failures]
    assert told == [
        ("a.mp4", "ingest", "truncated", "a.mp4: bad", None),
        ("b.srt", "transcript", "bad_source", "b.srt: odd", "c"),
    ]
    assert all(datetime.fromisoformat(failure.at).tzinfo is not None for failure in log.failures)


def test_names_that_are_not_utf8_can_be_written_down(tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    log = FailureLog()
    log.record(SourceError(f"{name}: rename it"), item=name, step="ingest")
    write_manifest(tmp_path / "failures.jsonl", log.failures)
    (failure,) = read_manifest(tmp_path / "failures.jsonl", Failure)
    assert failure.item == "caf\\udce9.mp4"
    assert failure.detail == "caf\\udce9.mp4: rename it"


def test_printable_leaves_other_names_alone():
    assert printable("naïve 'name'\n 北京.mp4") == "naïve 'name'\n 北京.mp4"
