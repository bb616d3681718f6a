import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from extractors.face_geometry import FACE_POINTS, TO_CAMERA_AXES, Camera, fit_face
from extractors.face_template import face_template
from extractors.gaze import gaze, hold_while_closed

CAMERA = Camera(5000.0, 320.0, 240.0)
PIXELS_PER_CM = 20.0
RADIUS_CM = 1.2


def looking(*, right=0.0, down=0.0, head=(0.0, 0.0, 0.0), at=(320.0, 240.0)):
    """The template in the picture, both eyeballs turned in the head by angles in degrees."""
    points = face_template() * TO_CAMERA_AXES
    x, y = np.tan(np.radians([right, down]))
    direction = np.array([x, y, -1.0]) / np.linalg.norm([x, y, 1.0])
    for outer, inner, iris in ((33, 133, 468), (263, 362, 473)):
        # OpenFace's eyeball: 7 mm behind the corners of the eye, 12 mm in radius.
        center = np.append(points[iris, :2], (points[outer, 2] + points[inner, 2]) / 2 + 0.7)
        points[iris] = center + RADIUS_CM * direction
    rotation = Rotation.from_euler("XYZ", head, degrees=True).as_matrix()
    return (PIXELS_PER_CM * points @ rotation.T + [*at, 0.0])[None]


def gaze_of(landmarks, camera=CAMERA):
    template = face_template()
    fit = fit_face(landmarks=landmarks, template=template, points=FACE_POINTS)
    return gaze(landmarks=landmarks, fit=fit, camera=camera, template=template)[0]


def test_a_face_looking_straight_into_the_camera():
    found = gaze_of(looking())
    np.testing.assert_allclose(found, [0, 0, -1, 0, 0, -1, 0, 0], atol=1e-9)


@pytest.mark.parametrize(("right", "down"), [(20, 0), (-20, 0), (0, 15), (0, -15), (12, -9)])
def test_eyes_turned_by_a_known_angle(right, down):
    # x > 0 looks to the image's right, y > 0 down.
    found = gaze_of(looking(right=right, down=down))
    np.testing.assert_allclose(np.degrees(found[6:]), [right, down], atol=0.01)
    np.testing.assert_allclose(np.linalg.norm(found[:3]), 1.0)
    np.testing.assert_allclose(np.linalg.norm(found[3:6]), 1.0)


def test_gaze_follows_the_head():
    # Ry > 0 turns the face to the image's left, Rx > 0 down.
    found = np.degrees(gaze_of(looking(head=(0, 20, 0))))
    np.testing.assert_allclose(found[6:], [-20, 0], atol=0.01)
    found = np.degrees(gaze_of(looking(head=(10, 0, 0))))
    np.testing.assert_allclose(found[6:], [0, 10], atol=0.01)


def test_a_face_beside_the_axis_that_looks_along_the_line_of_sight_looks_back():
    camera = Camera(500.0, 320.0, 240.0)
    found = gaze_of(looking(at=(520.0, 140.0)), camera)
    np.testing.assert_allclose(found[6], -np.arctan2(200, 500), atol=0.02)
    np.testing.assert_allclose(found[7], np.arctan2(100, 500), atol=0.02)


def test_an_iris_outside_the_eyeball_stays_finite():
    landmarks = looking()
    landmarks[0, 468, 0] += 30 * PIXELS_PER_CM
    np.testing.assert_allclose(gaze_of(landmarks)[:3], [1, 0, 0], atol=1e-6)


def test_blinks_hold_the_last_gaze_within_an_unbroken_run():
    measured = np.arange(7.0)[:, None]
    closed = np.array([True, False, True, True, True, False, True])
    runs = np.array([0, 0, 0, 0, 5, 5, 5])
    held = hold_while_closed(gaze=measured, closed=closed, runs=runs)
    np.testing.assert_array_equal(held[:, 0], [0, 1, 1, 1, 4, 5, 5])
