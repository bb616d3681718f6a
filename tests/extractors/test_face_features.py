import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from extractors.face_features import FACE_FEATURE_NAMES, face_features, face_measures
from extractors.face_geometry import TO_CAMERA_AXES
from extractors.face_template import face_template

UPPER_LIDS = (158, 159, 160, 385, 386, 387)
IRISES = slice(468, 478)


def mesh(frames, *, degrees=(0.0, 0.0, 0.0), face=None):
    face = np.tile(face_template(), (frames, 1, 1)) if face is None else face
    rotation = Rotation.from_euler("XYZ", degrees, degrees=True).as_matrix()
    points = 12.0 * (face * TO_CAMERA_AXES) @ rotation.T + [320.0, 240.0, 0.0]
    return points.astype(np.float32)


def features_of(landmarks):
    return face_features(landmarks=landmarks, width=640, height=480, max_yaw=35.0, max_pitch=30.0)


def column(features, name):
    return features.values[:, FACE_FEATURE_NAMES.index(name)]


def test_columns_are_openfaces_in_its_order():
    assert " ".join(FACE_FEATURE_NAMES) == (
        "gaze_0_x gaze_0_y gaze_0_z gaze_1_x gaze_1_y gaze_1_z gaze_angle_x gaze_angle_y "
        "pose_Tx pose_Ty pose_Tz pose_Rx pose_Ry pose_Rz "
        "AU01_r AU02_r AU12_r AU25_r AU26_r AU45_r"
    )


def test_a_turned_head():
    features = features_of(mesh(5, degrees=(10.0, -20.0, 5.0)))
    assert features.valid.all()
    for name, degrees in (("pose_Rx", 10), ("pose_Ry", -20), ("pose_Rz", 5)):
        np.testing.assert_allclose(np.degrees(column(features, name)), degrees, atol=0.01)
    np.testing.assert_allclose(column(features, "pose_Tz"), 500.0 / 1.2, rtol=1e-4)


def test_frames_without_a_face_are_zero_and_not_valid():
    landmarks = mesh(6)
    landmarks[2] = np.nan
    landmarks[4] = 7.0
    features = features_of(landmarks)
    assert features.valid.tolist() == [True, True, False, True, False, True]
    np.testing.assert_array_equal(features.values[[2, 4]], 0.0)
    assert np.isfinite(features.values).all()


@pytest.mark.parametrize("frames", [0, 3])
def test_a_clip_without_any_face(frames):
    features = features_of(np.full((frames, 478, 3), np.nan, np.float32))
    assert features.values.shape == (frames, 20)
    assert not features.valid.any()
    assert not features.values.any()


@pytest.mark.parametrize("degrees", [(0.0, 40.0, 0.0), (-33.0, 0.0, 0.0)])
def test_a_head_turned_too_far_keeps_its_pose_only(degrees):
    landmarks = mesh(20)
    landmarks[5] = mesh(1, degrees=degrees)[0]
    features = features_of(landmarks)
    assert np.flatnonzero(~features.valid).tolist() == [5]
    rotation = features.values[5, 11:14]
    np.testing.assert_allclose(np.degrees(rotation), degrees, atol=0.05)
    np.testing.assert_array_equal(features.values[5, 14:], 0.0)
    assert np.linalg.norm(features.values[5, :3]) == pytest.approx(1.0, abs=1e-5)


def test_a_blink_shows_in_au45_and_leaves_the_gaze_alone():
    face = np.tile(face_template(), (60, 1, 1))
    face[20:26, UPPER_LIDS, 1] -= 0.8
    face[20:26, IRISES, 1] -= 0.4  # the mesh drags the irises down with the lids
    features = features_of(mesh(60, face=face))
    # The rigid points do not move, so the depth of the blink is measured as it is.
    np.testing.assert_allclose(column(features, "AU45_r")[21:25], 4.0, atol=0.01)
    np.testing.assert_allclose(column(features, "gaze_angle_y"), 0.0, atol=0.01)


def test_looking_down_with_open_eyes_shows_in_the_gaze():
    face = np.tile(face_template(), (60, 1, 1))
    face[20:26, IRISES, 1] -= 0.4
    features = features_of(mesh(60, face=face))
    expected = np.arcsin(4.0 / 12.0)
    np.testing.assert_allclose(column(features, "gaze_angle_y")[20:26], expected, atol=0.01)


def test_action_units_do_not_depend_on_size_place_and_pose():
    face = np.tile(face_template(), (60, 1, 1))
    face[30:, 14, 1] -= np.linspace(0, 2, 30)
    near = features_of(mesh(60, face=face)).values[:, 14:]
    turned = features_of(0.3 * mesh(60, face=face, degrees=(5, 25, -10)) + 90).values[:, 14:]
    assert near[:, 3].max() > 1.0
    np.testing.assert_allclose(turned, near, atol=0.01)


@pytest.mark.parametrize("value", [0.0, 1e-3, 5.0, 1e4])
def test_degenerate_landmarks_do_no_harm(value):
    rng = np.random.default_rng(0)
    landmarks = np.stack([np.full((478, 3), value), rng.normal(size=(478, 3)) * value])
    features = features_of(landmarks.astype(np.float32))
    assert np.isfinite(features.values).all()


def test_face_cut_off_by_the_edge_counts_as_none():
    template = face_template()[:, :2] * np.array([1.0, -1.0])
    flat = np.concatenate([template * 20 + [160, 120], np.zeros((len(template), 1))], axis=1)
    shifted = [flat - [shift, 0, 0] for shift in (0.0, 160.0)]
    found = face_features(
        landmarks=np.stack(shifted).astype(np.float32),
        width=320,
        height=240,
        max_yaw=90.0,
        max_pitch=90.0,
    )
    assert found.valid.tolist() == [True, False]
    assert not found.values[1].any()


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
