import numpy as np
import pytest

from extractors.action_unit_geometry import (
    GEOMETRY,
    GEOMETRY_NAMES,
    action_unit_geometry,
    cheek_height,
    chin_drop,
    inner_brow_height,
    lid_closure,
    lip_corner_depth,
    lip_corner_drop,
    lip_corner_pull,
    lip_gap,
    lip_parting,
    lower_lid_height,
    lower_lip_height,
    nose_shortening,
    outer_brow_height,
    upper_lid_height,
    upper_lip_height,
)
from extractors.face_template import face_template

UPPER_LIDS = (158, 159, 160, 385, 386, 387)
LOWER_LIDS = (144, 145, 153, 373, 374, 380)
CHEEKS = (50, 101, 117, 118, 205, 280, 330, 346, 347, 425)
INNER_BROWS = (55, 107, 285, 336)
CORNERS = (61, 291)


def still(frames=1):
    return np.tile(face_template(), (frames, 1, 1))


@pytest.mark.parametrize(
    ("measure", "points", "shift", "change"),
    [
        (inner_brow_height, INNER_BROWS, (0, 0.3, 0), 0.3),
        (outer_brow_height, (46, 70, 276, 300), (0, 0.3, 0), 0.3),
        (upper_lid_height, UPPER_LIDS, (0, 0.3, 0), 0.3),
        (cheek_height, CHEEKS, (0, 0.3, 0), 0.3),
        (cheek_height, (33, 133, 263, 362, 2, 97, 326), (0, -0.3, 0), 0.3),
        (lower_lid_height, LOWER_LIDS, (0, 0.3, 0), 0.3),
        (nose_shortening, (98, 129, 327, 358), (0, 0.3, 0), 0.3),
        (nose_shortening, INNER_BROWS, (0, -0.3, 0), 0.3),
        (upper_lip_height, (39, 40, 269, 270), (0, 0.3, 0), 0.3),
        (lip_corner_pull, CORNERS, (0, 0.3, 0), 0.3),
        (lip_corner_pull, (291,), (0.4, 0, 0), 0.2),
        (lip_corner_depth, CORNERS, (0, 0, -0.3), 0.3),
        (lip_corner_depth, (61,), (-0.4, 0, 0), 0.2),
        (lip_corner_drop, CORNERS, (0, -0.3, 0), 0.3),
        (lower_lip_height, (17, 84, 314), (0, 0.3, 0), 0.3),
        (lip_gap, (14, 87, 317), (0, -0.3, 0), 0.3),
        (chin_drop, (32, 194, 262, 418), (0, -0.3, 0), 0.3),
        (lid_closure, UPPER_LIDS, (0, -0.3, 0), 0.3),
        (lid_closure, LOWER_LIDS, (0, 0.3, 0), 0.3),
    ],
)
def test_a_measure_grows_by_what_its_points_move(measure, points, shift, change):
    rest, moved = still(), still()
    moved[:, points] += shift
    np.testing.assert_allclose(measure(moved) - measure(rest), change, atol=1e-12)


@pytest.mark.parametrize("name", GEOMETRY_NAMES)
def test_a_measure_does_not_depend_on_where_the_origin_is(name):
    faces = still()
    # AU14's depth is against the template's own origin.
    shifted = faces + np.array([1.0, -2.0, 0.0 if name == "AU14" else 3.0])
    np.testing.assert_allclose(GEOMETRY[name](shifted), GEOMETRY[name](faces), atol=1e-12)


def test_closed_lids_touch():
    faces = still()
    faces[:, UPPER_LIDS, 1] = 3.0
    faces[:, LOWER_LIDS, 1] = 3.0
    assert lid_closure(faces)[0] == 0.0


def test_rounded_lips_part_less_than_wide_ones_with_the_same_gap():
    wide, narrow = still(), still()
    for faces, half in ((wide, 2.25), (narrow, 1.125)):
        faces[:, 308, 0], faces[:, 78, 0] = half, -half
        faces[:, (13, 82, 312), 1] = 1.0
        faces[:, (14, 87, 317), 1] = 0.2
    np.testing.assert_allclose(lip_parting(wide), 0.8)
    np.testing.assert_allclose(lip_parting(narrow), 0.8 / np.sqrt(2))


def test_lips_that_the_mesh_lets_overlap_are_less_than_closed():
    faces = still()
    faces[:, (14, 87, 317), 1] = faces[:, (13, 82, 312), 1] + 0.1
    np.testing.assert_allclose(lip_gap(faces), -0.1)
    assert lip_parting(faces)[0] < 0


def test_columns_are_in_the_order_of_their_names():
    faces = still(3) + np.random.default_rng(0).normal(size=(3, 478, 3))
    found = action_unit_geometry(faces=faces)
    assert found.shape == (3, 14)
    np.testing.assert_array_equal(found[:, GEOMETRY_NAMES.index("AU26")], chin_drop(faces))
    assert action_unit_geometry(faces=still(0)).shape == (0, 14)
