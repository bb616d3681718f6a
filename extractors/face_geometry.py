"""Lay a face template on landmarks: camera, similarity fit, pose-free face.

Landmarks are points of mediapipe's face mesh in pixels: x to the right of the image, y down, z
away from the camera. The same axes are OpenFace's camera frame.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from extractors.rotation import Float64Array, rotation_matrix

Landmarks = npt.NDArray[np.floating]
# All but the irises: they move in the face.
FACE_POINTS = tuple(range(468))
# Little moved by expression: forehead, temples, nose bridge, eye corners, face sides.
RIGID_POINTS = (
    *(10, 67, 297, 54, 284, 168, 6, 197, 195, 5),
    *(33, 133, 362, 263, 127, 356, 234, 454, 143, 372),
)
MILLIMETRES_PER_CENTIMETRE = 10.0
# The template has y up and z towards the viewer; the camera frame y down and z away.
TO_CAMERA_AXES = np.array([1.0, -1.0, -1.0])


class Camera(NamedTuple):
    """A pinhole camera without distortion.

    Attributes
    ----------
    focal_length : float
        In pixels.
    center_x, center_y : float
        Principal point in pixels.
    """

    focal_length: float
    center_x: float
    center_y: float


class SimilarityFit(NamedTuple):
    """``target = scale * rotation @ source + translation``, for every frame.

    Attributes
    ----------
    scale : ndarray, shape (T,)
        0 where all target points coincide.
    rotation : ndarray, shape (T, 3, 3)
        Proper rotations.
    translation : ndarray, shape (T, 3)
        In the unit of the target.
    """

    scale: Float64Array
    rotation: Float64Array
    translation: Float64Array


def default_camera(*, width: int, height: int) -> Camera:
    """Camera that OpenFace assumes for pictures of unknown origin.

    Parameters
    ----------
    width, height : int
        Picture size in pixels, > 0.

    Returns
    -------
    Camera
        Centred, with focal length ``(500 W / 640 + 500 H / 480) / 2``.
    """
    focal_length = (500.0 * width / 640.0 + 500.0 * height / 480.0) / 2.0
    return Camera(focal_length, width / 2.0, height / 2.0)


def similarity_fit(*, source: Float64Array, target: Landmarks) -> SimilarityFit:
    """Fit one point set to another by scale, rotation and shift, in the least squares sense.

    Parameters
    ----------
    source : ndarray, shape (P, 3)
        Points to be moved, not all the same.
    target : ndarray, shape (T, P, 3)
        Where they should go, finite, one set per frame.

    Returns
    -------
    SimilarityFit
        The ``T`` fits.

    References
    ----------
    Umeyama (1991), "Least-squares estimation of transformation parameters between two point
    patterns", IEEE TPAMI 13(4), eqs. 39-42.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=1)
    centered = source - source_mean
    # Covariance of eq. 38 without the factor 1/P, which cancels in the scale; it is enough that
    # one of the two sets is centred.
    covariance = np.einsum("tpi,pj->tij", target, centered)
    left, singular, right = np.linalg.svd(covariance)
    signs = np.ones((len(target), 3))
    signs[:, 2] = np.where(np.linalg.det(left) * np.linalg.det(right) < 0, -1.0, 1.0)
    rotation = (left * signs[:, None, :]) @ right
    scale = (singular * signs).sum(axis=1) / (centered**2).sum()
    translation = target_mean - scale[:, None] * (rotation @ source_mean)
    return SimilarityFit(scale, rotation, translation)


def fit_face(
    *, landmarks: Landmarks, template: Float64Array, points: Sequence[int]
) -> SimilarityFit:
    """Lay the template on the landmarks.

    Parameters
    ----------
    landmarks : ndarray, shape (T, 478, 3)
        Face mesh in pixels, finite.
    template : ndarray, shape (478, 3)
        Template in cm, y up, z towards the viewer.
    points : sequence of int
        By which points.

    Returns
    -------
    SimilarityFit
        From the template, turned to camera axes, to pixels; scale in pixels per cm.
    """
    indices = list(points)
    return similarity_fit(source=template[indices] * TO_CAMERA_AXES, target=landmarks[:, indices])


def pose_free_face(*, landmarks: Landmarks, fit: SimilarityFit) -> Float64Array:
    """Undo a face's pose, size and place.

    Parameters
    ----------
    landmarks : ndarray, shape (T, 478, 3)
        Face mesh in pixels.
    fit : SimilarityFit
        From :func:`fit_face`, every scale > 0.

    Returns
    -------
    ndarray, shape (T, 478, 3)
        Face mesh in the template's frame: cm, y up, z towards the viewer.
    """
    shifted = (landmarks - fit.translation[:, None]) / fit.scale[:, None, None]
    # Row vectors times R are column vectors times R transposed.
    unturned: Float64Array = (shifted @ fit.rotation) * TO_CAMERA_AXES
    return unturned


def ray_rotation(*, fit: SimilarityFit, camera: Camera) -> Float64Array:
    """Rotation from the line of sight to the face to the camera's axis.

    A face away from the picture's centre is seen from the side: the similarity fit tells how it
    is turned against the line from the camera to the head, not against the image plane.

    Parameters
    ----------
    fit : SimilarityFit
        From :func:`fit_face`.
    camera : Camera
        The camera.

    Returns
    -------
    ndarray, shape (T, 3, 3)
        To be multiplied from the left.
    """
    right = (fit.translation[:, 0] - camera.center_x) / camera.focal_length
    down = (fit.translation[:, 1] - camera.center_y) / camera.focal_length
    # atan(-v) about x after atan(u) about y is Rx Ry Rz without a roll.
    angles = np.stack([np.arctan(-down), np.arctan(right), np.zeros_like(down)], axis=-1)
    return rotation_matrix(angles=angles)
