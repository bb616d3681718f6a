import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from extractors.face_features import face_measures
from extractors.face_geometry import TO_CAMERA_AXES
from extractors.face_template import face_template


def mesh(frames, *, degrees=(0.0, 0.0, 0.0), face=None):
    face = np.tile(face_template(), (frames, 1, 1)) if face is None else face
    rotation = Rotation.from_euler("XYZ", degrees, degrees=True).as_matrix()
    points = 12.0 * (face * TO_CAMERA_AXES) @ rotation.T + [320.0, 240.0, 0.0]
    return points.astype(np.float32)


def measures_of(landmarks, width=640, height=480):
    return face_measures(landmarks=landmarks, width=width, height=height)


def test_measures_are_one_row_a_face_each_by_itself():
    landmarks = np.concatenate(
        [mesh(2, degrees=(10.0, -20.0, 5.0)), 0.5 * mesh(1), mesh(1, degrees=(-5.0, 0.0, 0.0))]
    )
    together = measures_of(landmarks)
    for row in range(4):
        alone = measures_of(landmarks[row : row + 1])
        for name, values in together._asdict().items():
            assert values.dtype == np.float32, name
            np.testing.assert_allclose(values[row], getattr(alone, name)[0], atol=1e-3)


def test_measures_of_a_turned_head():
    found = measures_of(mesh(1, degrees=(10.0, -20.0, 5.0)))
    np.testing.assert_allclose(np.degrees(found.pose[0, 3:]), (10.0, -20.0, 5.0), atol=0.05)
    np.testing.assert_allclose(found.rigid[0, [0, 4, 5]], (1.2, 320.0, 240.0), rtol=1e-4)
    np.testing.assert_allclose(found.shape, 0.0, atol=1e-3)
    assert found.inside[0] == 1.0
    span = (
        12.0
        * 9.0
        * np.linalg.norm(
            Rotation.from_euler("XYZ", (10.0, -20.0, 5.0), degrees=True).apply([1.0, 0.0, 0.0])
        )
    )
    assert found.eye_span[0] == pytest.approx(span, rel=1e-4)
    np.testing.assert_allclose(found.center[0], (320.0, 240.0), atol=0.01)


def test_mouth_opening_is_the_gap_in_cm_whatever_the_size():
    face = np.tile(face_template(), (2, 1, 1))
    face[1, (14, 87, 317), 1] -= 1.5
    for scale in (1.0, 0.2):
        found = measures_of(scale * mesh(2, degrees=(0.0, 30.0, 0.0), face=face))
        assert found.mouth_opening[1] - found.mouth_opening[0] == pytest.approx(1.5, abs=0.01)


def test_what_is_no_face_is_nan_and_hurts_no_other():
    landmarks = mesh(4)
    landmarks[1] = np.nan
    landmarks[2] = 7.0
    found = measures_of(landmarks)
    for name in ("pose", "gaze", "rigid", "shape", "action_units", "mouth_opening"):
        values = getattr(found, name)
        assert np.isnan(values[[1, 2]]).all(), name
        np.testing.assert_array_equal(values[3], values[0])
    assert found.eye_span[2] == 0.0


@pytest.mark.parametrize("frames", [0, 2])
def test_no_face_at_all_has_measures_of_the_right_width(frames):
    found = measures_of(np.full((frames, 478, 3), np.nan, np.float32))
    assert found.pose.shape == (frames, 6)
    assert found.gaze.shape == (frames, 8)
    assert found.shape.shape == (frames, 34)
    assert found.action_units.shape == (frames, 14)
    assert found.center.shape == (frames, 2)


def test_inside_is_the_share_within_the_picture():
    landmarks = mesh(1)
    landmarks[..., 0] += 320.0 - landmarks[..., 0].min() - np.ptp(landmarks[..., 0])
    half = np.median(landmarks[0, :, 0])
    assert measures_of(landmarks, width=int(half)).inside[0] == pytest.approx(0.5, abs=0.05)
