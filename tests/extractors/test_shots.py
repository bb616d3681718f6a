from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from extractors.media import Media, VideoFrame
from extractors.shots import change, shots, view

SAMPLES = Path(__file__).parents[2] / "sample_videos"
FPS = 25


def scenes():
    """Three views that have nothing in common."""
    size = (320, 180)
    stage = cv2.resize(data.astronaut(), size, interpolation=cv2.INTER_AREA)
    cat = cv2.resize(data.chelsea(), size, interpolation=cv2.INTER_AREA)
    coffee = cv2.resize(data.coffee(), size, interpolation=cv2.INTER_AREA)
    return stage, cat, coffee


def numbers(images, *, fps=FPS):
    """Shot number of every picture; checks that every picture comes out once and in order."""
    frames = [VideoFrame(i / fps, np.asarray(image, np.uint8)) for i, image in enumerate(images)]
    out = list(shots(iter(frames)))
    assert [frame.time for frame, _ in out] == [frame.time for frame in frames]
    assert all(a is b.image for (_, a), b in zip([f for f, _ in out], frames, strict=True))
    return [shot for _, shot in out]


def noisy(image, count, *, seed=0):
    """A camera's noise over a still view."""
    rng = np.random.default_rng(seed)
    return [np.clip(image + rng.normal(0, 4, image.shape), 0, 255) for _ in range(count)]


@pytest.mark.parametrize("fps", [10, 19.62, 30])
def test_a_cut_is_where_the_picture_changes(fps):
    stage, cat, coffee = scenes()
    images = noisy(stage, 20) + noisy(cat, 7) + noisy(coffee, 20)
    assert numbers(images, fps=fps) == [0] * 20 + [1] * 7 + [2] * 20


def test_a_cut_at_the_end_is_seen():
    stage, cat, _ = scenes()
    assert numbers([stage] * 9 + [cat]) == [0] * 9 + [1]


def test_a_flash_is_no_cut():
    stage, cat, _ = scenes()
    white = np.full_like(stage, 255)
    bright = np.clip(0.2 * stage + 215, 0, 255)
    patchy = np.where(np.arange(320)[:, None] < 200, white, stage)
    for flash in ([white], [bright], [patchy] * 2, [cat] * 2):
        assert set(numbers(noisy(stage, 12) + flash + noisy(stage, 12))) == {0}


def test_a_fade_to_black_and_back_is_no_cut_and_to_another_view_is_one():
    stage, cat, _ = scenes()
    down = [stage * gain for gain in np.linspace(1, 0, 15)]
    black = [np.zeros_like(stage)] * 20
    back = numbers([stage] * 5 + down + black + down[::-1] + [stage] * 5)
    assert set(back) == {0}
    up = [cat * gain for gain in np.linspace(0, 1, 15)]
    on = numbers([stage] * 5 + down + black + up + [cat] * 5)
    assert on[:30] == [0] * 30
    assert set(on[-10:]) == {1}
    assert max(on) == 1


def test_a_pan_and_a_zoom_are_no_cuts():
    wide = cv2.resize(data.coffee(), (640, 426))
    pan = [wide[100:280, 8 * i : 8 * i + 320] for i in range(40)]
    assert set(numbers(pan)) == {0}
    zoom = [
        cv2.resize(wide[3 * i : 360 - 3 * i, 5 * i : 640 - 5 * i], (320, 180)) for i in range(30)
    ]
    assert set(numbers(zoom)) == {0}


def test_a_black_clip_is_one_shot():
    assert numbers(np.zeros((9, 20, 30, 3))) == [0] * 9
    assert numbers([]) == []


@given(gain=st.floats(0.2, 1.0), lift=st.floats(0.0, 50.0))
def test_brightness_and_contrast_change_nothing(gain, lift):
    stage, cat, _ = scenes()
    dimmed = np.clip(stage * gain + lift, 0, 255).astype(np.uint8)
    same, other = change(view(stage), view(dimmed)), change(view(stage), view(cat))
    assert same < 0.1 < 0.5 < other


def test_the_change_is_symmetric_and_nothing_for_the_same_picture():
    a, b, _ = (view(image) for image in scenes())
    assert change(a, b) == change(b, a)
    assert change(a, a) == pytest.approx(0, abs=1e-3)
    assert a.greys.mean() == pytest.approx(0, abs=1e-5)
    assert a.greys.std() == pytest.approx(1, abs=1e-5)
    assert a.histogram.sum() == pytest.approx(1)


def test_a_talking_head_is_one_shot():
    assert {shot for _, shot in shots(Media(path=SAMPLES / "sample_01.mp4").frames())} == {0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clip", "cuts"),
    [  # seen by eye
        ("ted_10200", [37, 246, 389, 495, 630, 789]),
        ("ted_1300", [155, 313, 507, 949]),
        ("ted_14302", [142, 235, 294, 413, 566, 760, 911]),
    ],
)
def test_cuts_of_stage_footage(reference, clip, cuts):
    path = reference / "reference" / "facial" / f"{clip}.mp4"
    found = [shot for _, shot in shots(Media(path=path).frames())]
    assert np.flatnonzero(np.diff(found) > 0).tolist() == [cut - 1 for cut in cuts]
