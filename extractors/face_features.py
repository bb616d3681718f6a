"""Landmarks to everything that a face shows in one picture."""

from typing import NamedTuple

import numpy as np

from extractors.action_unit_geometry import action_unit_geometry, lip_gap
from extractors.face_geometry import (
    FACE_POINTS,
    RIGID_POINTS,
    Landmarks,
    default_camera,
    fit_face,
    pose_free_face,
)
from extractors.face_shape import face_modes, rigid_parameters, shape_coefficients
from extractors.face_template import face_template
from extractors.gaze import gaze
from extractors.head_pose import head_pose
from extractors.rotation import Float64Array
from extractors.sequence import BoolArray, FloatArray

POSE_NAMES = ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
GAZE_NAMES = (
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
    *("gaze_angle_x", "gaze_angle_y"),
)
OUTER_EYE_CORNERS = (33, 263)
# Pixels; what is smaller is no face.
MIN_EYE_SPAN = 4.0


class FaceMeasures(NamedTuple):
    """What faces show, each in one picture; NaN where the landmarks are no face.

    Attributes
    ----------
    pose : ndarray of float32, shape (B, 6)
        Columns as in ``POSE_NAMES``: mm and radians.
    gaze : ndarray of float32, shape (B, 8)
        Columns as in ``GAZE_NAMES``; what closed lids do to it is left in.
    rigid : ndarray of float32, shape (B, 6)
        Columns as in :data:`extractors.face_shape.RIGID_NAMES`.
    shape : ndarray of float32, shape (B, 34)
        Coefficients of :func:`extractors.face_shape.shape_coefficients`.
    action_units : ndarray of float32, shape (B, 14)
        cm, columns as in :data:`extractors.action_unit_geometry.GEOMETRY_NAMES`.
    mouth_opening : ndarray of float32, shape (B,)
        Gap between the lips in cm.
    eye_span : ndarray of float32, shape (B,)
        Distance of the outer corners of the eyes in pixels, never NaN for finite landmarks.
    center : ndarray of float32, shape (B, 2)
        Middle of the face in pixels.
    inside : ndarray of float32, shape (B,)
        Share of the mesh inside the picture, 0 to 1: what is cut off is guessed, and bends the
        pose.
    """

    pose: FloatArray
    gaze: FloatArray
    rigid: FloatArray
    shape: FloatArray
    action_units: FloatArray
    mouth_opening: FloatArray
    eye_span: FloatArray
    center: FloatArray
    inside: FloatArray


def face_measures(*, landmarks: Landmarks, width: int, height: int) -> FaceMeasures:
    """Measure faces, each by itself.

    Parameters
    ----------
    landmarks : ndarray, shape (B, 478, 3)
        Face meshes in pixels, of any faces in any pictures of one size. One that is not finite,
        or whose eyes lie less than 4 pixels apart, is no face.
    width, height : int
        Picture size in pixels.

    Returns
    -------
    FaceMeasures
        One row per face.

    Notes
    -----
    Two fits of the template: by the whole face for pose, gaze and shape, where it is steadier,
    and by the rigid points for action units, where it leaves the expression alone.
    """
    span = _eye_span(landmarks)
    usable = np.isfinite(landmarks).all(axis=(1, 2)) & (span >= MIN_EYE_SPAN)
    points, template = landmarks[usable], face_template()
    camera = default_camera(width=width, height=height)
    fit = fit_face(landmarks=points, template=template, points=FACE_POINTS)
    rigid_fit = fit_face(landmarks=points, template=template, points=RIGID_POINTS)
    faces = pose_free_face(landmarks=points, fit=fit)
    expression = pose_free_face(landmarks=points, fit=rigid_fit)
    return FaceMeasures(
        pose=_rows(usable, head_pose(fit=fit, camera=camera)),
        gaze=_rows(usable, gaze(landmarks=points, fit=fit, camera=camera, template=template)),
        rigid=_rows(usable, rigid_parameters(fit=fit)),
        shape=_rows(usable, shape_coefficients(faces=faces, template=template, modes=face_modes())),
        action_units=_rows(usable, action_unit_geometry(faces=expression)),
        mouth_opening=_rows(usable, lip_gap(expression)),
        eye_span=span.astype(np.float32),
        center=landmarks[:, FACE_POINTS, :2].mean(axis=1).astype(np.float32),
        inside=_inside(landmarks, width=width, height=height),
    )


def _eye_span(landmarks: Landmarks) -> Float64Array:
    right, left = OUTER_EYE_CORNERS
    span: Float64Array = np.linalg.norm(landmarks[:, left] - landmarks[:, right], axis=-1)
    return span


def _inside(landmarks: Landmarks, *, width: int, height: int) -> FloatArray:
    flat = landmarks[..., :2]
    within = ((flat >= 0) & (flat <= np.array([width, height], np.float32))).all(axis=-1)
    share: FloatArray = within.mean(axis=1).astype(np.float32)
    return share


def _rows(usable: BoolArray, values: Float64Array) -> FloatArray:
    """Put what was measured into its rows, NaN into the others."""
    rows = np.full((len(usable), *values.shape[1:]), np.nan, np.float32)
    rows[usable] = values
    return rows
