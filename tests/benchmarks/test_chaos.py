import random

import pytest

from benchmarks.chaos import kill_runs
from benchmarks.fault_runs import LostError, Truth, copy, stored, write_clips


@pytest.mark.slow
def test_killed_extractions_lose_nothing(tmp_path):
    write_clips(tmp_path / "videos", count=6)
    truth = Truth.make(tmp_path / "truth", train=False)
    assert len(truth.features) == 6
    row = kill_runs(truth, tmp_path / "work", "extract", 2, random.Random(0))
    assert (row.times, row.lost) == (2, 0)
    row = kill_runs(truth, tmp_path / "work", "ingest", 3, random.Random(0))
    assert (row.times, row.lost) == (3, 0)
    # and what is lost or not what it was would be seen
    place = copy(truth, tmp_path / "work", without=())
    truth.check_all(place)
    path = place / "features" / next(iter(stored(place)))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(LostError, match="does not have its digest"):
        truth.check(place)
    path.unlink()
    with pytest.raises(LostError, match="features are missing"):
        truth.check_all(place)
