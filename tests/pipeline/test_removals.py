from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipeline.records import Clip
from pipeline.removals import RemovedClip, update_removals

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def clip(letter, folder):
    path = folder / f"{letter}.wav"
    return Clip(
        id=letter * 64,
        path=str(path),
        duration=2.0,
        fps=None,
        sample_rate=8000,
        size=10,
        modified_ns=0,
    )


def test_what_is_missing_is_listed_once_and_until_it_comes_back(tmp_path):
    one, two, three = (clip(letter, tmp_path) for letter in "abc")
    (tmp_path / "c.wav").touch()
    first = update_removals([], before=[one, two, three], after=[two], now=NOW)
    assert [(entry.clip_id, entry.gone) for entry in first] == [(one.id, True), (three.id, False)]
    # noticed earlier counts, not what is noticed again
    later = NOW + timedelta(days=3)
    assert update_removals(first, before=[two], after=[two], now=later) == first
    assert update_removals(first, before=[one, two], after=[two], now=later) == first
    # content counts, not its name
    moved = replace(one, path=str(tmp_path / "elsewhere.wav"))
    (left,) = update_removals(first, before=[two], after=[two, moved], now=later)
    assert left.clip_id == three.id
    assert left.age_days(later) == 3.0


def test_nothing_is_missing_the_first_time(tmp_path):
    assert update_removals([], before=[], after=[clip("a", tmp_path)], now=NOW) == []


def test_days_are_counted_across_time_zones():
    entry = RemovedClip(
        clip_id="a" * 64, path="a", duration=1.0, gone=True, since="2026-02-28T13:00:00+01:00"
    )
    assert entry.age_days(NOW) == 1.0
