import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from extractors.face_appearance import APPEARANCE_NAMES, appearance_measures
from extractors.face_geometry import TO_CAMERA_AXES
from extractors.face_template import face_template

GLABELLA = 8


def portrait(*, pixels_per_cm=20.0, degrees=0.0, furrow=0.0, light=1.0, size=400):
    """Skin with a smooth shade, a vertical furrow on the glabella, and the face's mesh."""
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    mesh = pixels_per_cm * (face_template() * TO_CAMERA_AXES) @ turn.T + [size / 2, size / 2, 0]
    at = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1) - mesh[GLABELLA, :2]
    across, down = np.moveaxis(at @ turn[:2, :2] / pixels_per_cm, -1, 0)
    skin = 120.0 + 5.0 * across + 3.0 * down
    depth = furrow * np.exp(-0.5 * (across / 0.15) ** 2 - 0.5 * (down / 0.6) ** 2)
    gray = np.clip(light * skin * (1.0 - depth), 0, 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=2), mesh.astype(np.float32)


def measure(**wanted):
    image, landmarks = portrait(**wanted)
    return float(appearance_measures(image=image, landmarks=landmarks)[0])


def test_the_measure_grows_with_the_furrow():
    found = [measure(furrow=furrow) for furrow in (0.0, 0.1, 0.2, 0.4)]
    assert (np.diff(found) > 0.3).all()
    # A furrow twice as deep has twice the gradient.
    assert found[3] - found[2] == pytest.approx(np.log(2), abs=0.2)


@pytest.mark.parametrize("changed", [{"light": 0.6}, {"degrees": 25.0}, {"pixels_per_cm": 12.0}])
def test_the_measure_hardly_depends_on_light_tilt_and_size(changed):
    # Against 1.4 from no furrow to this one.
    assert measure(furrow=0.4, **changed) == pytest.approx(measure(furrow=0.4), abs=0.15)


def test_only_the_glabella_counts():
    image, landmarks = portrait(furrow=0.2)
    plain = appearance_measures(image=image, landmarks=landmarks)
    for point in (10, 61, 291, 50, 280, 152):
        x, y = np.round(landmarks[point, :2]).astype(int)
        cv2.circle(image, (int(x), int(y)), 12, (0, 0, 0), -1)
    np.testing.assert_array_equal(appearance_measures(image=image, landmarks=landmarks), plain)


def test_one_number_for_every_name_and_the_image_is_left_alone():
    image, landmarks = portrait()
    kept = image.copy()
    found = appearance_measures(image=image, landmarks=landmarks)
    assert found.shape == (len(APPEARANCE_NAMES),)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(image, kept)


@pytest.mark.parametrize("value", [0, 255])
def test_a_flat_picture_gives_a_finite_number(value):
    image = np.full((400, 400, 3), value, np.uint8)
    _, landmarks = portrait()
    assert np.isfinite(appearance_measures(image=image, landmarks=landmarks)).all()


def test_a_face_outside_the_picture_gives_a_finite_number():
    image, landmarks = portrait()
    assert np.isfinite(appearance_measures(image=image, landmarks=landmarks + 5000)).all()
