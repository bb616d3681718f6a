"""Landmarks of one clip to one row of OpenFace's columns per frame."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from extractors.action_units import ACTION_UNITS, action_unit_intensities
from extractors.face_geometry import (
    FACE_POINTS,
    RIGID_POINTS,
    Landmarks,
    default_camera,
    fit_face,
    pose_free_face,
)
from extractors.face_template import face_template
from extractors.gaze import gaze, hold_while_closed
from extractors.head_pose import head_pose
from extractors.rotation import Float64Array
from extractors.sequence import BoolArray, FloatArray

POSE_NAMES = ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
GAZE_NAMES = (
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
    *("gaze_angle_x", "gaze_angle_y"),
)
ACTION_UNIT_NAMES = tuple(unit.name for unit in ACTION_UNITS)
FACE_FEATURE_NAMES = (*GAZE_NAMES, *POSE_NAMES, *ACTION_UNIT_NAMES)
# Step of AU45 from which the lids hide the irises.
CLOSED_EYES = 1.0
OUTER_EYE_CORNERS = (33, 263)
# Pixels; what is smaller is no face.
MIN_EYE_SPAN = 4.0
# Share of the mesh that must lie in the picture: what is cut off is guessed, and bends the pose.
MIN_INSIDE = 0.9
# Frames taken at once, so that a long video needs no second copy in double precision.
BLOCK = 1024


class FaceFeatures(NamedTuple):
    """Features of every frame.

    Attributes
    ----------
    values : ndarray of float32, shape (T, 20)
        Columns as in ``FACE_FEATURE_NAMES``; all 0 without a face.
    valid : ndarray of bool, shape (T,)
        Whether all columns are measured.
    """

    values: FloatArray
    valid: BoolArray


def face_features(
    *,
    landmarks: Landmarks,
    width: int,
    height: int,
    max_yaw: float,
    max_pitch: float,
) -> FaceFeatures:
    """Turn the landmarks of one person in one clip into pose, gaze and action units.

    Parameters
    ----------
    landmarks : ndarray, shape (T, 478, 3)
        Face mesh in pixels; NaN in frames without a face. A face of which more than a tenth lies
        outside the picture counts as none.
    width, height : int
        Picture size in pixels.
    max_yaw, max_pitch : float
        Degrees beyond which a turned head hides too much to measure action units. Such a frame
        keeps pose and gaze, has action units 0 and is not valid.

    Returns
    -------
    FaceFeatures
        One row per frame.
    """
    values = np.zeros((len(landmarks), len(FACE_FEATURE_NAMES)), np.float32)
    valid = np.zeros(len(landmarks), np.bool_)
    seen = _frames_with_face(landmarks, width=width, height=height)
    if not seen.size:
        return FaceFeatures(values, valid)

    points, template = landmarks[seen], face_template()
    camera = default_camera(width=width, height=height)
    fit = fit_face(landmarks=points, template=template, points=FACE_POINTS)
    pose = head_pose(fit=fit, camera=camera)
    pitch, yaw = np.abs(np.degrees(pose[:, 3:5])).T
    valid[seen] = (yaw <= max_yaw) & (pitch <= max_pitch)
    intensities = _intensities(frames=seen, points=points, valid=valid)
    # Frames of an unbroken run have the same difference of frame number and rank.
    looks = hold_while_closed(
        gaze=gaze(landmarks=points, fit=fit, camera=camera, template=template),
        closed=intensities[:, ACTION_UNIT_NAMES.index("AU45_r")] > CLOSED_EYES,
        runs=seen - np.arange(len(seen)),
    )
    values[seen] = np.column_stack([looks, pose, intensities])
    return FaceFeatures(values, valid)


def _frames_with_face(landmarks: Landmarks, *, width: int, height: int) -> npt.NDArray[np.intp]:
    """Find the frames that hold a face of any size to speak of, not cut off by their edge."""
    right, left = OUTER_EYE_CORNERS
    span = np.linalg.norm(landmarks[:, left] - landmarks[:, right], axis=-1)
    there = np.isfinite(landmarks).all(axis=(1, 2)) & (span >= MIN_EYE_SPAN)
    flat = landmarks[..., :2]
    inside = ((flat >= 0) & (flat <= np.array([width, height], np.float32))).all(axis=-1)
    return np.flatnonzero(there & (inside.mean(axis=1) >= MIN_INSIDE))


def _intensities(
    *, frames: npt.NDArray[np.intp], points: Landmarks, valid: BoolArray
) -> Float64Array:
    """Measure action units on the clip's own frames, so that no mean reaches over a gap.

    The whole face gives the steadier pose; only the rigid points leave the expression alone.
    """
    faces = np.zeros((len(valid), *points.shape[1:]), np.float32)
    for start in range(0, len(frames), BLOCK):
        block = slice(start, start + BLOCK)
        fit = fit_face(landmarks=points[block], template=face_template(), points=RIGID_POINTS)
        faces[frames[block]] = pose_free_face(landmarks=points[block], fit=fit)
    return action_unit_intensities(faces=faces, reliable=valid)[frames]
