import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.action_units import (
    ACTION_UNITS,
    action_unit_intensities,
    chin_drop,
    inner_brow_height,
    lid_closure,
    lip_corner_pull,
    lip_gap,
    moving_mean,
    outer_brow_height,
)
from extractors.face_template import face_template

UPPER_LIDS = (158, 159, 160, 385, 386, 387)
NAMES = [unit.name for unit in ACTION_UNITS]


def still(frames):
    return np.tile(face_template(), (frames, 1, 1))


def intensity(faces, name, reliable=None):
    reliable = np.ones(len(faces), bool) if reliable is None else reliable
    return action_unit_intensities(faces=faces, reliable=reliable)[:, NAMES.index(name)]


@pytest.mark.parametrize(
    ("measure", "points", "shift", "change"),
    [
        (inner_brow_height, (55, 107, 285, 336), (0, 0.3, 0), 0.3),
        (outer_brow_height, (46, 70, 276, 300), (0, 0.3, 0), 0.3),
        (lip_corner_pull, (61, 291), (0, 0.3, 0), 0.3),
        (lip_corner_pull, (291,), (0.4, 0, 0), 0.2),
        (lip_gap, (14, 87, 317), (0, -0.3, 0), 0.3),
        (chin_drop, (32, 194, 262, 418), (0, -0.3, 0), 0.3),
        (lid_closure, UPPER_LIDS, (0, -0.3, 0), 0.3),
    ],
)
def test_a_measure_grows_by_what_its_points_move(measure, points, shift, change):
    rest, moved = still(1), still(1)
    # A wide open mouth, so that the gap's direction hardly turns with the lower lip.
    for faces in (rest, moved):
        faces[:, (14, 87, 317), 1] -= 50.0 if measure is lip_gap else 0.0
    moved[:, points] += shift
    np.testing.assert_allclose(measure(moved) - measure(rest), change, atol=1e-3)


def test_a_blink_of_half_the_eyes_height_is_half_of_the_scale():
    faces = still(60)
    faces[20:30, UPPER_LIDS, 1] -= 0.5
    found = intensity(faces, "AU45_r")
    np.testing.assert_allclose(found[21:29], 2.5)
    np.testing.assert_allclose(found[[19, 20]], [2.5 / 3, 5.0 / 3])
    np.testing.assert_allclose(np.delete(found, np.arange(19, 31)), 0.0, atol=1e-9)


def test_a_constant_brow_is_the_clips_own_neutral():
    faces = still(40)
    faces[:, (55, 107, 285, 336), 1] += 0.7
    np.testing.assert_allclose(intensity(faces, "AU01_r"), 0.0, atol=1e-9)


def test_someone_who_smiles_throughout_is_not_the_neutral():
    faces = still(40)
    measure = lip_corner_pull(faces)[0]
    faces[:, (61, 291), 1] += 2.7 + 1.0 - measure
    np.testing.assert_allclose(intensity(faces, "AU12_r"), 2.0)


def test_neutral_is_the_quantile_of_the_reliable_frames():
    faces = still(200)
    heights = np.linspace(0.0, 1.0, 100)
    faces[:100, 55, 1] += 4.0 * heights  # the mean of four points
    faces[100:] = np.nan
    reliable = np.arange(200) < 100
    smooth = np.convolve(heights, np.ones(3) / 3, "valid")
    expected = (smooth - np.quantile(heights, 0.55)).clip(0) / 0.25
    np.testing.assert_allclose(intensity(faces, "AU01_r", reliable)[1:99], expected, atol=1e-6)


def test_what_is_not_reliable_is_zero_and_counts_for_nothing():
    faces = still(30)
    reliable = np.ones(30, bool)
    reliable[10:20] = False
    faces[10:20] = 1e6
    found = action_unit_intensities(faces=faces, reliable=reliable)
    np.testing.assert_array_equal(found[10:20], 0.0)
    np.testing.assert_allclose(
        found[:10], action_unit_intensities(faces=still(10), reliable=np.ones(10, bool))
    )


def test_nothing_reliable_gives_zeros():
    found = action_unit_intensities(faces=still(3), reliable=np.zeros(3, bool))
    np.testing.assert_array_equal(found, np.zeros((3, len(NAMES))))


@given(st.integers(0, 10**6), st.floats(0.0, 50.0))
def test_intensities_stay_on_the_scale(seed, size):
    faces = still(12) + size * np.random.default_rng(seed).normal(size=(12, 478, 3))
    found = action_unit_intensities(faces=faces, reliable=np.ones(12, bool))
    assert ((found >= 0) & (found <= 5)).all()


def test_moving_mean_is_over_reliable_neighbours_only():
    signal = np.array([3.0, 6.0, np.nan, 9.0, 1.0, 2.0])
    reliable = np.array([True, True, False, True, True, True])
    found = moving_mean(signal=signal, reliable=reliable)
    np.testing.assert_allclose(found[reliable], [4.5, 4.5, 5.0, 4.0, 1.5])
