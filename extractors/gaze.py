"""Gaze direction in OpenFace's convention."""

import numpy as np
import numpy.typing as npt

from extractors.face_geometry import (
    MILLIMETRES_PER_CENTIMETRE,
    TO_CAMERA_AXES,
    Camera,
    Landmarks,
    SimilarityFit,
    ray_rotation,
)
from extractors.rotation import Float64Array
from extractors.sequence import BoolArray

EYEBALL_RADIUS_MM = 12.0
# How far the eyeball's centre lies behind the corners of the eye: OpenFace's number.
CORNERS_TO_EYEBALL_DEPTH_MM = 7.0
# Outer and inner corner, iris centre. OpenFace's eye 0 is the one on the image's left.
EYES = ((33, 133, 468), (263, 362, 473))


def gaze(
    *, landmarks: Landmarks, fit: SimilarityFit, camera: Camera, template: Float64Array
) -> Float64Array:
    """Direction from the eyeballs' centres through the pupils, in the camera's frame.

    Parameters
    ----------
    landmarks : ndarray, shape (T, 478, 3)
        Face mesh with irises, in pixels.
    fit : SimilarityFit
        From :func:`extractors.face_geometry.fit_face`, every scale > 0.
    camera : Camera
        The camera.
    template : ndarray, shape (478, 3)
        Template in cm, y up, z towards the viewer, that looks straight ahead.

    Returns
    -------
    ndarray, shape (T, 8)
        Unit vectors of the eye on the image's left and on its right (x right, y down, z away, so
        z < 0 is towards the camera), then the angles of their mean in radians: x > 0 looks to
        the image's right, y > 0 down. Head and eye movement together, not eye in head.

    Notes
    -----
    A pupil is where the line of sight through the iris's centre meets the eyeball (Wood et al.
    2015, "Rendering of eyes for eye-shape registration and gaze estimation", as used by
    OpenFace). Its depth follows from the sphere; mediapipe's depth of the iris is not used. The
    eyeball lies straight behind the template's iris: OpenFace places it against its own eye
    corners, which are not mediapipe's.
    """
    to_camera = ray_rotation(fit=fit, camera=camera)
    vectors = []
    for points in EYES:
        seen = _through_pupil(landmarks=landmarks, fit=fit, template=template, points=points)
        vectors.append(np.einsum("tij,tj->ti", to_camera, seen))
    mean_x, mean_y, mean_z = np.mean(vectors, axis=0).T
    angles = [np.arctan2(mean_x, -mean_z), np.arctan2(mean_y, -mean_z)]
    return np.column_stack([*vectors, *angles])


def hold_while_closed(
    *, gaze: Float64Array, closed: BoolArray, runs: npt.NDArray[np.int64]
) -> Float64Array:
    """Keep the last open-eyed gaze during blinks, which drag the irises down.

    Parameters
    ----------
    gaze : ndarray, shape (T, D)
        Gaze of every frame.
    closed : ndarray of bool, shape (T,)
        Where the lids cover the irises.
    runs : ndarray, shape (T,)
        Number of the unbroken run a frame belongs to; nothing is carried from one into another.

    Returns
    -------
    ndarray, shape (T, D)
        The same without blinks; a run that starts with closed eyes keeps what was measured.
    """
    frames = np.arange(len(gaze))
    source = np.maximum.accumulate(np.where(closed, -1, frames))
    usable = (source >= 0) & (runs[source] == runs)
    held: Float64Array = gaze[np.where(usable, source, frames)]
    return held


def _through_pupil(
    *,
    landmarks: Landmarks,
    fit: SimilarityFit,
    template: Float64Array,
    points: tuple[int, int, int],
) -> Float64Array:
    """Measure unit vectors (T, 3) of one eye, against the line of sight to the face."""
    outer, inner, iris = (landmarks[:, point, :2] for point in points)
    millimetres_per_pixel = (MILLIMETRES_PER_CENTIMETRE / fit.scale)[:, None]
    center_shift = (fit.rotation @ _eyeball_center(template=template, points=points))[:, :2]
    offset = (iris - (outer + inner) / 2.0) * millimetres_per_pixel - center_shift
    # An iris outside the eyeball's outline is put on the outline.
    length = np.linalg.norm(offset, axis=1, keepdims=True)
    offset = offset * np.minimum(1.0, EYEBALL_RADIUS_MM / np.maximum(length, 1e-9))
    depth = -np.sqrt(np.maximum(EYEBALL_RADIUS_MM**2 - (offset**2).sum(axis=1), 0.0))
    return np.column_stack([offset, depth]) / EYEBALL_RADIUS_MM


def _eyeball_center(*, template: Float64Array, points: tuple[int, int, int]) -> Float64Array:
    """From the middle of the eye's corners, in mm along the camera's axes."""
    outer, inner, iris = (template[point] * TO_CAMERA_AXES for point in points)
    center: Float64Array = (iris - (outer + inner) / 2.0) * MILLIMETRES_PER_CENTIMETRE
    center[2] = CORNERS_TO_EYEBALL_DEPTH_MM
    return center
