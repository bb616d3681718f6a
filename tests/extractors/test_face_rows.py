import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from extractors.action_units import INTENSITY_NAMES, PRESENCE_NAMES
from extractors.blendshapes import BLENDSHAPES
from extractors.face_geometry import TO_CAMERA_AXES
from extractors.face_rows import (
    BLOCK,
    ROW_NAMES,
    SeenFace,
    SeenPicture,
    measure_faces,
    person_rows,
    speaker_rows,
)
from extractors.face_template import face_template

UPPER_LIDS = (158, 159, 160, 385, 386, 387)
IRISES = slice(468, 478)
IMAGE = np.zeros((480, 640, 3), np.uint8)


def mesh(frames, *, degrees=(0.0, 0.0, 0.0), face=None):
    face = np.tile(face_template(), (frames, 1, 1)) if face is None else face
    rotation = Rotation.from_euler("XYZ", degrees, degrees=True).as_matrix()
    points = 12.0 * (face * TO_CAMERA_AXES) @ rotation.T + [320.0, 240.0, 0.0]
    return points.astype(np.float32)


def seen(landmarks, *, face_id=0, extra=(0.0,), score=1.0):
    return SeenFace(face_id, landmarks, score, np.array(extra, np.float32))


def table_of(landmarks, *, shots=None, fps=25.0):
    """One face a picture; None for a picture without one."""
    shots = np.zeros(len(landmarks), int) if shots is None else shots
    pictures = [
        SeenPicture(
            number / fps, IMAGE, int(shots[number]), () if points is None else (seen(points),)
        )
        for number, points in enumerate(landmarks)
    ]
    return measure_faces(pictures=pictures, extras=1)


def rows_of(table):
    return person_rows(
        table=table, rows=np.arange(len(table.picture)), max_yaw=35.0, max_pitch=30.0
    )


def column(found, name):
    return found.values[:, ROW_NAMES.index(name)]


def action_units(found):
    wanted = [name in INTENSITY_NAMES + PRESENCE_NAMES for name in ROW_NAMES]
    return found.values[:, wanted]


def test_a_turned_head():
    found = rows_of(table_of(mesh(5, degrees=(10.0, -20.0, 5.0))))
    assert found.valid.all()
    for name, degrees in (("pose_Rx", 10), ("pose_Ry", -20), ("pose_Rz", 5)):
        np.testing.assert_allclose(np.degrees(column(found, name)), degrees, atol=0.01)
    np.testing.assert_allclose(column(found, "pose_Tz"), 500.0 / 1.2, rtol=1e-4)
    facing = np.cos(np.radians(10)) * np.cos(np.radians(20))
    np.testing.assert_allclose(column(found, "confidence"), facing, rtol=1e-4)


def test_what_is_no_face_is_zero_and_not_valid():
    landmarks = mesh(6)
    landmarks[2] = np.nan
    landmarks[4] = 7.0
    found = rows_of(table_of(landmarks))
    assert found.valid.tolist() == [True, True, False, True, False, True]
    np.testing.assert_array_equal(found.values[[2, 4]], 0.0)
    np.testing.assert_array_equal(column(found, "success"), found.valid)
    assert np.isfinite(found.values).all()


def test_a_face_cut_off_by_the_edge_counts_as_none():
    landmarks = mesh(3)
    landmarks[1, :, 0] += 320.0
    found = rows_of(table_of(landmarks))
    assert found.valid.tolist() == [True, False, True]
    assert not found.values[1].any()


@pytest.mark.parametrize("degrees", [(0.0, 40.0, 0.0), (-33.0, 0.0, 0.0)])
def test_a_head_turned_too_far_keeps_all_but_action_units(degrees):
    landmarks = mesh(20)
    landmarks[5] = mesh(1, degrees=degrees)[0]
    found = rows_of(table_of(landmarks))
    assert np.flatnonzero(~found.valid).tolist() == [5]
    pose = [column(found, f"pose_R{axis}")[5] for axis in "xyz"]
    np.testing.assert_allclose(np.degrees(pose), degrees, atol=0.05)
    np.testing.assert_array_equal(action_units(found)[5], 0.0)
    assert np.hypot.reduce([column(found, f"gaze_0_{a}")[5] for a in "xyz"]) == pytest.approx(1.0)


def blinking(*, lids=0.8, irises=0.4):
    face = np.tile(face_template(), (60, 1, 1))
    face[20:26, UPPER_LIDS, 1] -= lids
    face[20:26, IRISES, 1] -= irises
    return mesh(60, face=face)


def test_a_blink_shows_in_au45_and_leaves_the_gaze_alone():
    found = rows_of(table_of(blinking()))
    np.testing.assert_allclose(column(found, "AU45_r")[21:25], 4.0, atol=0.01)
    np.testing.assert_allclose(column(found, "gaze_angle_y"), 0.0, atol=0.01)
    assert column(found, "AU45_c")[22] == 1.0


def test_looking_down_with_open_eyes_shows_in_the_gaze():
    found = rows_of(table_of(blinking(lids=0.0)))
    expected = np.arcsin(4.0 / 12.0)
    np.testing.assert_allclose(column(found, "gaze_angle_y")[20:26], expected, atol=0.01)


@pytest.mark.parametrize("broken_by", ["shot", "missing picture", "no face"])
def test_gaze_is_not_held_across_a_break(broken_by):
    """Without the break the gaze of picture 21 would be that of picture 19."""
    landmarks = list(blinking())
    shots = np.zeros(60, int)
    if broken_by == "shot":
        shots[22:] = 1
    elif broken_by == "missing picture":
        landmarks[22] = None
    else:
        landmarks[22] = np.full((478, 3), np.nan, np.float32)
    table = table_of(landmarks, shots=shots)
    found = rows_of(table)
    gaze = column(found, "gaze_angle_y")
    down = np.arcsin(4.0 / 12.0)
    assert gaze[table.picture == 21][0] == pytest.approx(0.0, abs=0.01)
    assert gaze[table.picture == 24][0] == pytest.approx(down, abs=0.01)


def test_blocks_and_other_faces_change_nothing():
    landmarks = mesh(2 * BLOCK + 3)
    landmarks[:, 14, 1] += np.linspace(0, 20, len(landmarks), dtype=np.float32)[:, None][:, 0]
    pictures = [
        SeenPicture(i / 25, IMAGE, 0, (seen(points, face_id=1), seen(0.4 * points, face_id=2)))
        for i, points in enumerate(landmarks)
    ]
    table = measure_faces(pictures=pictures, extras=1)
    rows = np.flatnonzero(table.face_id == 1)
    found = person_rows(table=table, rows=rows, max_yaw=35.0, max_pitch=30.0)
    alone = rows_of(table_of(landmarks))
    np.testing.assert_allclose(found.values, alone.values, atol=1e-3)
    np.testing.assert_array_equal(table.picture, np.repeat(np.arange(len(landmarks)), 2))


def test_pictures_of_another_size_are_measured_by_their_own():
    small = np.zeros((240, 320, 3), np.uint8)
    points = mesh(1)[0]
    pictures = [
        SeenPicture(0.0, IMAGE, 0, (seen(points),)),
        SeenPicture(0.1, small, 1, (seen(0.5 * points),)),
    ]
    table = measure_faces(pictures=pictures, extras=1)
    np.testing.assert_allclose(table.measures.pose[0], table.measures.pose[1], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(table.off_center, table.off_center[0], atol=1e-4)


def test_no_face_at_all():
    table = table_of([None] * 3)
    assert table.starts.tolist() == [0.0, 0.04, 0.08]
    assert rows_of(table).values.shape == (0, len(ROW_NAMES))
    assert len(speaker_rows(table).picture) == 0


def test_speaker_rows_know_no_mouth_in_profile():
    landmarks = np.concatenate([mesh(1), mesh(1, degrees=(0.0, 60.0, 0.0))])
    rows = speaker_rows(table_of(landmarks))
    assert np.isfinite(rows.mouth_opening).tolist() == [True, False]
    np.testing.assert_allclose(rows.time, [0.0, 0.04])


def test_blendshapes_give_the_action_units_where_there_are_any():
    landmarks = mesh(60)
    scores = np.zeros((60, len(BLENDSHAPES)), np.float32)
    scores[40:, [BLENDSHAPES.index(f"mouthSmile{side}") for side in ("Left", "Right")]] = 0.6
    pictures = [
        SeenPicture(i / 25, IMAGE, 0, (seen(landmarks[i], extra=scores[i]),)) for i in range(60)
    ]
    found = rows_of(measure_faces(pictures=pictures, extras=len(BLENDSHAPES)))
    np.testing.assert_allclose(column(found, "AU12_r")[45:], 3.0, atol=1e-5)
    np.testing.assert_allclose(column(found, "AU12_r")[:35], 0.0, atol=1e-5)
    assert found.values.shape[1] == len(ROW_NAMES)
