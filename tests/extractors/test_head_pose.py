import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from extractors.face_geometry import FACE_POINTS, TO_CAMERA_AXES, default_camera, fit_face
from extractors.face_template import face_template
from extractors.head_pose import head_pose

WIDTH, HEIGHT = 640, 480
CAMERA = default_camera(width=WIDTH, height=HEIGHT)


def seen(*, degrees, position_mm=(0.0, 0.0, 600.0)):
    """The template as a face mesh: pinhole image, depth along the line of sight to the head."""
    rotation = Rotation.from_euler("XYZ", degrees, degrees=True).as_matrix()
    points = 10.0 * (face_template() * TO_CAMERA_AXES) @ rotation.T + position_mm
    scale = CAMERA.focal_length / points[:, 2:]
    image = points[:, :2] * scale + [CAMERA.center_x, CAMERA.center_y]
    sight = np.asarray(position_mm) / np.linalg.norm(position_mm)
    depth = (points - position_mm) @ sight[:, None] * CAMERA.focal_length / position_mm[2]
    return np.hstack([image, depth])[None]


def pose_of(landmarks):
    fit = fit_face(landmarks=landmarks, template=face_template(), points=FACE_POINTS)
    return head_pose(fit=fit, camera=CAMERA)[0]


@given(st.tuples(st.floats(-30, 30), st.floats(-35, 35), st.floats(-40, 40)))
def test_the_rotation_of_a_distant_head_comes_back(degrees):
    found = np.degrees(pose_of(seen(degrees=degrees, position_mm=(0, 0, 20000.0)))[3:])
    np.testing.assert_allclose(found, degrees, atol=0.5)


@pytest.mark.parametrize("across", [-250.0, 0.0, 250.0])
@pytest.mark.parametrize("down", [-150.0, 0.0, 150.0])
def test_a_head_away_from_the_axis_is_measured_against_the_camera(across, down):
    # 4 degrees: landmarks know nothing of perspective. Without the turn to the camera's axes the
    # error would be atan(250 / 700) = 20 degrees.
    found = pose_of(seen(degrees=(5.0, 10.0, 3.0), position_mm=(across, down, 700.0)))
    np.testing.assert_allclose(np.degrees(found[3:]), (5.0, 10.0, 3.0), atol=4.0)
    np.testing.assert_allclose(found[:3], (across, down, 700.0), rtol=0.05, atol=5.0)


@pytest.mark.parametrize("distance", [400.0, 800.0, 2000.0])
def test_the_distance_of_a_head_of_known_size_comes_back(distance):
    found = pose_of(seen(degrees=(0, 0, 0), position_mm=(0, 0, distance)))
    np.testing.assert_allclose(found[2], distance, rtol=0.03)


def test_signs_are_openfaces():
    nose_tip, crown, eyes = 1, 10, (33, 263)
    rest = seen(degrees=(0, 0, 0))[0]

    def moved(**pose):
        return seen(degrees=(pose.get("x", 0), pose.get("y", 0), pose.get("z", 0)))[0]

    middle = rest[list(eyes), :2].mean(axis=0)
    assert moved(x=15)[nose_tip, 1] - rest[nose_tip, 1] > 5  # nose down
    assert moved(y=15)[nose_tip, 0] - middle[0] < -5  # nose to the image's left
    assert moved(z=15)[crown, 0] - middle[0] > 5  # crown to the image's right
    for axis, name in enumerate("xyz"):
        found = pose_of(moved(**{name: 15})[None])[3:]
        assert found.argmax() == axis
        assert found[axis] > 0.2


def test_rotation_agrees_with_opencvs_perspective_solution():
    landmarks = seen(degrees=(8.0, -20.0, 6.0), position_mm=(60.0, 30.0, 900.0))
    f, cx, cy = CAMERA
    _, vector, shift = cv2.solvePnP(
        10.0 * face_template() * TO_CAMERA_AXES,
        np.ascontiguousarray(landmarks[0, :, :2]),
        np.array([[f, 0, cx], [0, f, cy], [0, 0, 1.0]]),
        None,
    )
    expected = Rotation.from_rotvec(vector.ravel()).as_euler("XYZ", degrees=True)
    found = pose_of(landmarks)
    np.testing.assert_allclose(np.degrees(found[3:]), expected, atol=3.0)
    np.testing.assert_allclose(found[:3], shift.ravel(), rtol=0.03, atol=3.0)
