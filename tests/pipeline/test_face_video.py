from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from extractors.face_features import POSE_NAMES, face_measures
from extractors.face_tracks import follow_faces
from extractors.media import Media
from pipeline.errors import SourceError
from pipeline.face_video import (
    BLUE,
    CYAN,
    GREEN,
    GREY,
    ORANGE,
    PANEL_WIDTH,
    RED,
    DrawnFace,
    FaceOverlay,
    draw_faces,
    picture_with_faces,
)

SAMPLES = Path(__file__).parents[2] / "sample_videos"
SQUARE_ON = dict(zip(POSE_NAMES, (0.0, 0.0, 600.0, 0.0, 0.0, 0.0), strict=True))


def mesh(*, x, y, size):
    """478 points on a square grid."""
    steps = np.arange(478)
    flat = np.column_stack([steps % 22, steps // 22]) / 21 - 0.5
    return np.column_stack([flat * size + (x, y), np.zeros(478)]).astype(np.float32)


def picture(*faces, width=512, height=288, time=0.0, shade=0):
    image = np.full((height, width, 3), shade, np.uint8)
    return FaceOverlay(time=time, image=image, shot=0, faces=faces)


def left_of_panel(drawn):
    return drawn[:, :-PANEL_WIDTH]


def places(drawn, color):
    """x and y of the pixels of exactly this colour."""
    y, x = np.nonzero((drawn == color).all(axis=-1))
    return x, y


@pytest.mark.parametrize(
    ("width", "height", "wanted"),
    [
        (512, 288, (960 + PANEL_WIDTH, 540)),
        (320, 320, (960 + PANEL_WIDTH, 960)),
        (288, 352, (884 + PANEL_WIDTH, 1080)),
        (1920, 1080, (1920 + PANEL_WIDTH, 1080)),
        (3840, 2160, (1920 + PANEL_WIDTH, 1080)),
        (960, 201, (960 + PANEL_WIDTH, 540)),
        (63, 35, (960 + PANEL_WIDTH, 540)),
    ],
)
def test_size(width, height, wanted):
    drawn = picture_with_faces(picture(width=width, height=height))
    assert abs(drawn.shape[1] - wanted[0]) <= 2
    assert abs(drawn.shape[0] - wanted[1]) <= 8
    assert drawn.shape[0] % 2 == drawn.shape[1] % 2 == 0
    assert drawn.dtype == np.uint8


def test_a_picture_without_faces_is_left_alone():
    drawn = picture_with_faces(picture(shade=77))
    assert (left_of_panel(drawn) == 77).all()
    assert (drawn[:, -PANEL_WIDTH:] != 0).any()


@pytest.mark.parametrize(
    ("chosen", "valid", "color"),
    [(True, True, GREEN), (True, False, ORANGE), (False, False, GREY)],
)
def test_every_landmark_is_marked_by_what_is_made_of_its_face(chosen, valid, color):
    face = DrawnFace(face_id=3, landmarks=mesh(x=200, y=150, size=80), chosen=chosen, valid=valid)
    drawn = picture_with_faces(picture(face))
    for x, y in np.round(face.landmarks[:, :2] * 960 / 512).astype(int):
        assert tuple(drawn[y, x]) == color


def test_a_face_over_the_edge_is_cut_off():
    face = DrawnFace(face_id=0, landmarks=mesh(x=505, y=2, size=80), chosen=True, valid=True)
    x, y = places(left_of_panel(picture_with_faces(picture(face))), GREEN)
    assert x.min() >= (505 - 40) * 960 / 512 - 1
    assert x.max() <= 959
    assert y.size > 50


def test_axes_of_a_head_that_looks_here_start_at_its_place():
    values = SQUARE_ON | {"pose_Tx": 100.0, "pose_Ty": -50.0}
    face = DrawnFace(face_id=0, landmarks=mesh(x=300, y=90, size=1), chosen=True, values=values)
    drawn = left_of_panel(picture_with_faces(picture(face)))
    # the default camera of 512 x 288 pixels: f = 350, centre (256, 144)
    at_x, at_y = (256 + 350 * 100 / 600) * 1.875, (144 - 350 * 50 / 600) * 1.875
    length = 350 * 90 / 600 * 1.875
    red_x, red_y = places(drawn, RED)
    assert (red_x.max(), np.median(red_y)) == (pytest.approx(at_x + length, abs=3), round(at_y))
    green_x, green_y = places(drawn, GREEN)
    assert (green_y.max(), np.median(green_x)) == (pytest.approx(at_y + length, abs=3), round(at_x))


@pytest.mark.parametrize(
    ("turned", "direction"),
    [({"pose_Ry": 0.8}, (-1, 0)), ({"pose_Ry": -0.8}, (1, 0)), ({"pose_Rx": 0.8}, (0, 1))],
)
def test_the_nose_points_where_openface_says(turned, direction):
    values = SQUARE_ON | turned
    face = DrawnFace(face_id=0, landmarks=mesh(x=20, y=20, size=1), chosen=True, values=values)
    x, y = places(left_of_panel(picture_with_faces(picture(face))), BLUE)
    shift = np.array([x.mean() - 480, y.mean() - 270])
    assert shift @ direction > 20
    assert abs(shift @ direction[::-1]) < 3


def test_gaze_starts_at_the_irises():
    values = SQUARE_ON | {
        f"gaze_{eye}_{axis}": value
        for eye in (0, 1)
        for axis, value in zip("xyz", (0.6, 0.0, -0.8), strict=True)
    }
    landmarks = mesh(x=256, y=250, size=1)
    landmarks[468, :2], landmarks[473, :2] = (200, 60), (300, 100)
    face = DrawnFace(face_id=0, landmarks=landmarks, chosen=True, values=values)
    x, y = places(left_of_panel(picture_with_faces(picture(face))), CYAN)
    # 120 mm along (.6, 0, -.8) from the depth of the head, by the camera with f = 350
    tips = [((u - 256) / 350 * 600 + 72) / (600 - 96) * 350 + 256 for u in (200, 300)]
    for (u, v), tip in zip(((200, 60), (300, 100)), tips, strict=True):
        ray = np.abs(y - v * 1.875) < 32
        assert x[ray].min() == pytest.approx(u * 1.875, abs=3)
        assert x[ray].max() == pytest.approx(tip * 1.875, abs=3)


def test_bars_are_as_long_as_intensities():
    def cyan(values):
        face = DrawnFace(
            face_id=0, landmarks=mesh(x=99, y=99, size=9), chosen=True, valid=True, values=values
        )
        return len(places(picture_with_faces(picture(face))[:, -PANEL_WIDTH:], CYAN)[0])

    whole = cyan({"AU01_r": 5.0})
    assert cyan({"AU01_r": 2.5}) == pytest.approx(whole / 2, rel=0.02)
    assert cyan({"AU01_r": 9.0}) == whole
    assert cyan({"AU01_r": 5.0, "AU02_r": 5.0}) == 2 * whole
    assert cyan({"AU01_r": 5.0, "AU01_c": 0.0}) == 0
    assert cyan({"AU01_r": 5.0, "AU01_c": 1.0}) == whole


@pytest.mark.parametrize(
    ("valid", "values", "verdict"),
    [
        (True, SQUARE_ON, "valid"),
        (False, SQUARE_ON, "NOT VALID, turned"),
        (False, {}, "NOT VALID, cut off"),
    ],
)
def test_the_panel_says_why_a_row_is_not_valid(valid, values, verdict):
    face = DrawnFace(
        face_id=123, landmarks=mesh(x=99, y=99, size=9), chosen=True, valid=valid, values=values
    )
    panel = picture_with_faces(picture(face))[:, -PANEL_WIDTH:]
    line = panel[50:68]
    said = np.zeros((100, 2 * PANEL_WIDTH, 3), np.uint8)
    text, font = f"speaker 123: {verdict}", cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(said, text, (10, 62), font, 0.5, GREEN if valid else ORANGE, 1, cv2.LINE_AA)
    assert not said[:, PANEL_WIDTH:].any()
    np.testing.assert_array_equal(line, said[50:68, :PANEL_WIDTH])


def overlays(media, *faces):
    for time, image in media.frames():
        yield FaceOverlay(time=time, image=image, shot=0, faces=faces)


def test_times_and_sound_are_kept(make_clip, tmp_path):
    times = np.cumsum(np.random.default_rng(0).uniform(0.02, 0.2, 40)) - 0.02
    images = np.random.default_rng(1).integers(0, 255, (40, 12, 16, 3), np.uint8)
    source = Media(
        path=make_clip(
            picture=images.repeat(8, axis=1).repeat(8, axis=2), pts=times, seconds=5.0, fps=25
        )
    )
    path = tmp_path / "made" / "faces.mp4"
    draw_faces(media=source, overlays=overlays(source), path=path)
    drawn = Media(path=path)
    wanted = [frame.time for frame in source.frames()]
    found = list(drawn.frames())
    np.testing.assert_allclose([frame.time for frame in found], wanted, atol=1e-3)
    before, after = source.audio(sample_rate=16000), drawn.audio(sample_rate=16000)
    length = min(len(before), len(after))
    assert length == pytest.approx(len(before), abs=1600)
    assert np.corrcoef(before[:length], after[:length])[0, 1] > 0.95
    last = picture_with_faces(list(overlays(source))[-1]).astype(int)
    assert np.abs(found[-1].image - last).mean() < 6
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_clip_without_sound(make_clip, tmp_path):
    source = Media(path=make_clip(sound=None, seconds=0.4))
    draw_faces(media=source, overlays=overlays(source), path=tmp_path / "faces.mp4")
    info = Media(path=tmp_path / "faces.mp4").info
    assert not info.has_audio
    assert (info.width, info.height) == (960 + PANEL_WIDTH, 720)


def test_plays_everywhere(make_clip, tmp_path):
    source = Media(path=make_clip(seconds=0.4))
    draw_faces(media=source, overlays=overlays(source), path=tmp_path / "faces.mp4")
    with av.open(str(tmp_path / "faces.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert container.streams.audio[0].codec_context.name == "aac"


def test_a_failure_leaves_what_was_there(make_clip, tmp_path):
    source = Media(path=make_clip(seconds=1.0))
    path = tmp_path / "out" / "faces.mp4"
    path.parent.mkdir()
    path.write_text("old")

    def broken():
        yield from islice(overlays(source), 5)
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        draw_faces(media=source, overlays=broken(), path=path)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_no_pictures(make_clip, tmp_path):
    source = Media(path=make_clip())
    with pytest.raises(SourceError, match="no pictures") as caught:
        draw_faces(media=source, overlays=[], path=tmp_path / "faces.mp4")
    assert caught.value.code == "no_pictures"
    assert not (tmp_path / "faces.mp4").exists()


def test_a_real_faces_axes_start_on_its_face():
    source = Media(path=SAMPLES / "sample_07.mp4")
    found = next(islice(follow_faces(frames=source.frames()), 2, None))
    assert len(found.faces) == 1
    landmarks = found.faces[0].landmarks
    height, width = found.image.shape[:2]
    measures = face_measures(landmarks=landmarks[None], width=width, height=height)
    values = dict(zip(POSE_NAMES, measures.pose[0].tolist(), strict=True))
    face = DrawnFace(face_id=0, landmarks=landmarks, chosen=True, values=values)
    bare = FaceOverlay(time=0.0, image=np.zeros_like(found.image), shot=0, faces=(face,))
    x, y = places(left_of_panel(picture_with_faces(bare)), BLUE)
    scale = 1080 / height
    low, high = landmarks[:, :2].min(axis=0) * scale, landmarks[:, :2].max(axis=0) * scale
    assert low[0] < x.mean() < high[0]
    assert low[1] < y.mean() < high[1]
