import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from benchmarks.facial import f1_score
from benchmarks.facial_cost import repeated
from extractors.media import Media

TIMES = st.lists(st.integers(0, 30), max_size=8, unique=True).map(sorted)


@given(ours=TIMES, theirs=TIMES, tolerance=st.integers(0, 4))
def test_f1_score_pairs_as_many_events_as_can_be(ours, theirs, tolerance):
    ours, theirs = np.array(ours, float), np.array(theirs, float)
    near = np.abs(ours[:, None] - theirs[None]) <= tolerance
    hits = near[linear_sum_assignment(near, maximize=True)].sum()
    missed, invented = len(theirs) - hits, len(ours) - hits
    found = f1_score(ours, theirs, tolerance=tolerance)
    if len(ours) + len(theirs):
        assert found == pytest.approx(2 * hits / (2 * hits + missed + invented))
    else:
        assert found == 1.0


@pytest.mark.parametrize("sound", [None, "voice"])
def test_a_repeated_video_has_all_pictures_several_times(make_clip, sound):
    source = make_clip(seconds=1.0, fps=25, sound=sound)
    target = source.with_name("long.mp4")
    repeated(source, target, 3)
    once = [frame.image for frame in Media(path=source).frames()]
    many = list(Media(path=target).frames())
    assert len(many) == 3 * len(once)
    assert (np.diff([frame.time for frame in many]) > 0).all()
    np.testing.assert_array_equal(many[2 * len(once)].image, once[0])
