import json
import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ConfigError, DataError, StoreError
from pipeline.records import Segment
from pipeline.splits import SPLIT_NAMES, Split, SplitConfig, make_split

SHARES = {"train": 0.7, "valid": 0.1, "test": 0.2}


def segments(clips, each=2, label=1.0):
    return [
        Segment(id=f"{clip}-{n}", clip_id=str(clip), start=n, end=n + 1, text="", label=label)
        for clip in clips
        for n in range(each)
    ]


def places(split):
    return {name: on for on in SPLIT_NAMES for name in getattr(split, on)}


@given(st.sets(st.text("abcdef0123456789", min_size=1), min_size=1), st.integers())
def test_every_segment_has_one_place_and_a_clip_is_never_divided(clips, seed):
    made = segments(sorted(clips), each=3)
    split = make_split(made, shares=SHARES, seed=seed)
    found = places(split)
    assert set(found) == {segment.id for segment in made}
    for clip in clips:
        assert len({found[segment.id] for segment in made if segment.clip_id == clip}) == 1
    assert (split.source, split.seed, split.group_by) == ("made", seed, "clip")


@given(
    st.sets(st.integers(0, 500), min_size=1, max_size=30),
    st.sets(st.integers(501, 999), max_size=30),
    st.randoms(),
)
def test_more_clips_do_not_move_the_others(old, new, random):
    before = places(make_split(segments(old), shares=SHARES, seed=3))
    mixed = segments(old | new)
    random.shuffle(mixed)
    after = places(make_split(mixed, shares=SHARES, seed=3))
    assert {name: after[name] for name in before} == before


def test_shares_are_kept_among_many_clips():
    split = make_split(segments(range(5000), each=1), shares=SHARES, seed=0)
    counts = Counter(places(split).values())
    for name, share in SHARES.items():
        # five standard deviations of a binomial
        assert abs(counts[name] - 5000 * share) < 5 * math.sqrt(5000 * share * (1 - share))


def test_another_seed_is_another_split():
    made = segments(range(50))
    first, again, other = (make_split(made, shares=SHARES, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert places(first) != places(other)


def test_a_split_is_the_same_everywhere_and_for_ever():
    # printf 0:a | sha256sum begins with 9df38..., a share of 0x9df38 / 2**20 = 0.617; b: 0.876,
    # c: 0.742, d: 0.491
    split = make_split(segments(["a", "b", "c", "d"], each=1), shares=SHARES, seed=0)
    assert places(split) == {"a-0": "train", "b-0": "test", "c-0": "valid", "d-0": "train"}


def test_unlabelled_segments_are_left_out():
    made = segments(range(20)) + segments(range(20, 40), label=None)
    assert set(places(make_split(made, shares=SHARES, seed=0))) == {s.id for s in made[:40]}


def test_a_label_of_zero_is_a_label():
    assert len(places(make_split(segments(range(9), label=0.0), shares=SHARES, seed=0))) == 18


def test_a_segment_in_two_splits_is_refused():
    with pytest.raises(DataError, match="'b' is in two splits"):
        Split(train=("a", "b"), valid=("c",), test=("b",))
    with pytest.raises(DataError, match="'a'"):
        Split(train=("a", "a"), valid=(), test=())


def test_a_split_comes_back(tmp_path):
    split = Split(train=("a", "ü"), valid=("b",), test=(), source="given", seed=7)
    split.save(tmp_path / "deep" / "split.json")
    assert Split.load(tmp_path / "deep" / "split.json") == split


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"train": []}', '{"train": 1, "valid": [], "test": []}']
)
def test_damage_is_named(tmp_path, text):
    path = tmp_path / "split.json"
    path.write_text(text)
    with pytest.raises(StoreError, match=str(path)):
        Split.load(path)


def test_an_unknown_field_and_a_missing_file_are_named(tmp_path):
    path = tmp_path / "split.json"
    with pytest.raises(StoreError, match=str(path)):
        Split.load(path)
    Split(train=("a",), valid=(), test=()).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"folds": 3}))
    with pytest.raises(StoreError, match="folds"):
        Split.load(path)


@pytest.mark.parametrize(
    "shares",
    [
        {"train": 0.7, "valid": 0.3, "test": 0.0},
        {"train": 1.2, "valid": 0.1, "test": -0.3},
        {"train": 0.7, "valid": 0.1, "test": 0.1},
        {"train": math.nan, "valid": 0.5, "test": 0.5},
        {"train": 0.5, "valid": math.nan, "test": 0.5},
        {"train": math.inf, "valid": 0.5, "test": 0.5},
    ],
)
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ConfigError, match="shares"):
        SplitConfig(**shares)


def test_a_configuration_gives_the_shares():
    config = SplitConfig(train=0.8, valid=0.1, test=0.1)
    assert config.shares == {"train": 0.8, "valid": 0.1, "test": 0.1}
    assert sum(SplitConfig().shares.values()) == pytest.approx(1)
    assert replace(config, seed=3).shares == config.shares
    with pytest.raises(ValidationError, match="folds"):
        TypeAdapter(SplitConfig).validate_python({"folds": 3})
