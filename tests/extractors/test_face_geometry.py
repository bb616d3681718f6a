import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from extractors.face_geometry import (
    FACE_POINTS,
    TO_CAMERA_AXES,
    Camera,
    SimilarityFit,
    default_camera,
    fit_face,
    pose_free_face,
    ray_rotation,
    similarity_fit,
)
from extractors.face_template import face_template


@given(
    seed=st.integers(0, 10**6), scale=st.floats(0.01, 100), shift=st.tuples(*[st.floats(-9, 9)] * 3)
)
def test_a_moved_point_set_gives_its_motion_back(seed, scale, shift):
    rng = np.random.default_rng(seed)
    source, rotation = rng.normal(size=(9, 3)), Rotation.random(random_state=seed).as_matrix()
    target = scale * source @ rotation.T + shift
    fit = similarity_fit(source=source, target=np.stack([target, source]))
    np.testing.assert_allclose(fit.scale, [scale, 1.0], rtol=1e-9)
    np.testing.assert_allclose(fit.rotation, [rotation, np.eye(3)], atol=1e-8)
    np.testing.assert_allclose(fit.translation, [shift, np.zeros(3)], atol=1e-7)


def test_the_rotation_is_scipys_best_one_with_noise_and_never_a_reflection():
    rng = np.random.default_rng(3)
    source = rng.normal(size=(30, 3)) - 1.0
    noisy = source @ Rotation.from_euler("XYZ", [0.2, 0.5, -0.4]).as_matrix().T
    noisy += 0.3 * rng.normal(size=noisy.shape)
    mirrored = source * [1.0, 1.0, -1.0]
    fit = similarity_fit(source=source, target=np.stack([noisy, mirrored]))
    for rotation, target in zip(fit.rotation, (noisy, mirrored), strict=True):
        best, _ = Rotation.align_vectors(target - target.mean(0), source - source.mean(0))
        np.testing.assert_allclose(rotation, best.as_matrix(), atol=1e-6)
        np.testing.assert_allclose(np.linalg.det(rotation), 1.0)


def test_coinciding_points_have_no_size():
    fit = similarity_fit(source=np.eye(3), target=np.full((1, 3, 3), 7.0))
    np.testing.assert_allclose(fit.scale, 0.0, atol=1e-12)
    assert np.isfinite(fit.rotation).all()


@pytest.mark.parametrize(("width", "height", "focal"), [(640, 480, 500.0), (1280, 720, 875.0)])
def test_default_camera_is_openfaces(width, height, focal):
    assert default_camera(width=width, height=height) == Camera(focal, width / 2, height / 2)


def test_a_posed_face_is_unposed():
    template = face_template()
    rotation = Rotation.from_euler("XYZ", [[0.1, -0.4, 0.3], [0, 0, 0]]).as_matrix()
    smiling = template + np.where(np.arange(478)[:, None] == 61, [-0.4, 0.5, 0.0], 0.0)
    posed = 12.0 * (smiling * TO_CAMERA_AXES) @ rotation.transpose(0, 2, 1) + [300.0, 200.0, 5.0]
    rest = [point for point in FACE_POINTS if point != 61]
    fit = fit_face(landmarks=posed, template=template, points=rest)
    faces = pose_free_face(landmarks=posed, fit=fit)
    np.testing.assert_allclose(faces, [smiling, smiling], atol=1e-9)


def test_ray_rotation_turns_the_line_of_sight_onto_the_axis():
    camera = Camera(500.0, 320.0, 240.0)
    at = np.array([[320.0, 240.0, 0.0], [520.0, 240.0, 0.0], [100.0, 400.0, 0.0]])
    fit = SimilarityFit(np.ones(3), np.tile(np.eye(3), (3, 1, 1)), at)
    turned = ray_rotation(fit=fit, camera=camera)
    np.testing.assert_allclose(turned[0], np.eye(3))
    # What is square to the line of sight looks at the camera: to the image's left for a face on
    # its right, by the angle under which it is seen.
    towards_camera = turned[1] @ [0.0, 0.0, -1.0]
    np.testing.assert_allclose(towards_camera, -np.array([200, 0, 500]) / np.hypot(200, 500))
    towards_camera = turned[2] @ [0.0, 0.0, -1.0]
    assert towards_camera[0] > 0 > towards_camera[1]
