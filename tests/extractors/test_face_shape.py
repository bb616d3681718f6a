import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from extractors.build_face_template import mirror_pairs
from extractors.face_geometry import FACE_POINTS, TO_CAMERA_AXES, fit_face, pose_free_face
from extractors.face_shape import (
    MODES,
    RIGID_NAMES,
    SHAPE_NAMES,
    face_modes,
    rigid_parameters,
    shape_coefficients,
)
from extractors.face_template import face_template


def project(faces):
    return shape_coefficients(faces=faces, template=face_template(), modes=face_modes())


def faces_with(coefficients):
    faces = np.tile(face_template(), (len(coefficients), 1, 1))
    faces[:, :468] += np.tensordot(coefficients, face_modes(), axes=1)
    return faces


def test_modes_are_orthonormal():
    flat = face_modes().reshape(MODES, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(MODES), atol=1e-6)
    assert len(SHAPE_NAMES) == MODES == 34


def test_modes_are_symmetric_or_antisymmetric():
    partner = mirror_pairs(shape=face_template()[:468])
    mirrored = (face_modes() * [-1.0, 1.0, 1.0])[:, partner]
    parity = (mirrored * face_modes()).sum(axis=(1, 2))
    np.testing.assert_allclose(np.abs(parity), 1.0, atol=1e-5)
    assert {-1.0, 1.0} == set(np.round(parity))


def test_the_largest_number_of_a_mode_is_positive():
    flat = face_modes().reshape(MODES, -1)
    largest = np.take_along_axis(flat, np.abs(flat).argmax(axis=1)[:, None], axis=1)
    assert (largest > 0).all()


def test_the_template_is_the_origin():
    np.testing.assert_allclose(project(face_template()[None]), 0.0, atol=1e-12)


def test_coefficients_come_back():
    wanted = np.random.default_rng(0).normal(size=(5, MODES))
    np.testing.assert_allclose(project(faces_with(wanted)), wanted, atol=1e-5)


def test_coefficients_do_not_depend_on_size_place_and_pose():
    rng = np.random.default_rng(1)
    faces = faces_with(rng.normal(size=(1, MODES)))
    turns = Rotation.from_euler("XYZ", rng.uniform(-30, 30, (6, 3)), degrees=True).as_matrix()
    sizes, places = rng.uniform(3, 30, (6, 1, 1)), rng.uniform(-100, 900, (6, 1, 3))
    seen = sizes * np.einsum("tij,pj->tpi", turns, faces[0] * TO_CAMERA_AXES) + places
    fit = fit_face(landmarks=seen, template=face_template(), points=FACE_POINTS)
    found = project(pose_free_face(landmarks=seen, fit=fit))
    np.testing.assert_allclose(found, np.tile(found[:1], (6, 1)), atol=1e-9)
    assert np.abs(found).max() > 0.5


def test_nothing_in_gives_nothing():
    assert project(np.zeros((0, 478, 3))).shape == (0, MODES)


@pytest.mark.parametrize("degrees", [(10.0, -20.0, 5.0), (0.0, 0.0, 0.0)])
def test_rigid_parameters(degrees):
    turn = Rotation.from_euler("XYZ", degrees, degrees=True).as_matrix()
    seen = 12.0 * (face_template() * TO_CAMERA_AXES) @ turn.T + [320.0, 240.0, 7.0]
    fit = fit_face(landmarks=seen[None], template=face_template(), points=FACE_POINTS)
    found = dict(zip(RIGID_NAMES, rigid_parameters(fit=fit)[0], strict=True))
    assert found["p_scale"] == pytest.approx(1.2)
    angles = np.degrees([found["p_rx"], found["p_ry"], found["p_rz"]])
    np.testing.assert_allclose(angles, degrees, atol=1e-9)
    assert (found["p_tx"], found["p_ty"]) == (pytest.approx(320.0), pytest.approx(240.0))
