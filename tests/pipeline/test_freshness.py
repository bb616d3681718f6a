import os

import pytest

from pipeline.errors import SourceError
from pipeline.freshness import refuse_changed
from pipeline.records import Clip


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    status = path.stat()
    return Clip(
        id="0" * 64,
        path=str(path),
        duration=1.0,
        fps=None,
        sample_rate=16_000,
        size=status.st_size,
        modified_ns=status.st_mtime_ns,
    )


def test_an_untouched_file_passes(clip):
    refuse_changed(clip)


def test_other_bytes_are_refused(clip, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"other sound")
    with pytest.raises(SourceError, match=r"a\.wav: has changed.*ingest again") as caught:
        refuse_changed(clip)
    assert caught.value.code == "changed_since_ingest"


def test_another_time_is_refused(clip, tmp_path):
    os.utime(tmp_path / "a.wav", ns=(clip.modified_ns + 1_000, clip.modified_ns + 1_000_000))
    with pytest.raises(SourceError, match="has changed"):
        refuse_changed(clip)


def test_a_vanished_file_is_refused(clip, tmp_path):
    (tmp_path / "a.wav").unlink()
    with pytest.raises(SourceError) as caught:
        refuse_changed(clip)
    assert caught.value.code == "missing_file"
