"""Rotations as OpenFace writes them: ``R = Rx(rx) Ry(ry) Rz(rz)``.

The frame is the camera's: x to the right of the image, y down, z away from the camera.
"""

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]


def rotation_matrix(*, angles: npt.ArrayLike) -> Float64Array:
    """Build rotation matrices from Euler angles.

    Parameters
    ----------
    angles : array_like, shape (..., 3)
        ``rx, ry, rz`` in radians.

    Returns
    -------
    ndarray, shape (..., 3, 3)
        ``Rx(rx) @ Ry(ry) @ Rz(rz)``.
    """
    rx, ry, rz = np.moveaxis(np.asarray(angles, np.float64), -1, 0)
    about_x, about_y, about_z = _about(0, rx), _about(1, ry), _about(2, rz)
    product: Float64Array = about_x @ about_y @ about_z
    return product


def euler_angles(*, rotation: Float64Array) -> Float64Array:
    """Read Euler angles off rotation matrices; the inverse of :func:`rotation_matrix`.

    Parameters
    ----------
    rotation : ndarray, shape (..., 3, 3)
        Proper rotations.

    Returns
    -------
    ndarray, shape (..., 3)
        ``rx, ry, rz`` in radians; ``ry`` in [-pi/2, pi/2], the others in [-pi, pi].
    """
    rx = np.arctan2(-rotation[..., 1, 2], rotation[..., 2, 2])
    ry = np.arcsin(np.clip(rotation[..., 0, 2], -1.0, 1.0))
    rz = np.arctan2(-rotation[..., 0, 1], rotation[..., 0, 0])
    return np.stack([rx, ry, rz], axis=-1)


def _about(axis: int, angle: Float64Array) -> Float64Array:
    """Right-handed rotation about one axis."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., axis, axis] = 1.0
    matrix[..., first, first] = matrix[..., second, second] = np.cos(angle)
    matrix[..., first, second] = -np.sin(angle)
    matrix[..., second, first] = np.sin(angle)
    return matrix
