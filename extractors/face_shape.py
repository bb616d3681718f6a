"""A face's shape in few numbers: the counterpart of OpenFace's ``p_*`` shape parameters."""

import functools
from pathlib import Path

import numpy as np

from extractors.face_geometry import FACE_POINTS, MILLIMETRES_PER_CENTIMETRE, SimilarityFit
from extractors.rotation import Float64Array, euler_angles

MODES_FILE = Path(__file__).parent / "data" / "face_shape.npy"
# As many as OpenFace's non-rigid parameters.
MODES = 34
SHAPE_NAMES = tuple(f"shape_{mode}" for mode in range(MODES))
RIGID_NAMES = ("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty")


@functools.cache
def face_modes() -> Float64Array:
    """Read the modes in which faces move.

    Returns
    -------
    ndarray, shape (34, 468, 3)
        Read-only; orthonormal as vectors of 1404 numbers, x to the viewer's right, y up, z
        towards the viewer. Each is symmetric or antisymmetric about the face's middle; the most
        moving is the first.

    See Also
    --------
    extractors.build_face_shape : How the file is made, and from what.
    """
    modes: Float64Array = np.load(MODES_FILE, allow_pickle=False).astype(np.float64)
    modes.setflags(write=False)
    return modes


def shape_coefficients(
    *, faces: Float64Array, template: Float64Array, modes: Float64Array
) -> Float64Array:
    """Project faces on the modes.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm, fitted by all points: a fit by some would leave the others a share
        of size and pose.
    template : ndarray, shape (478, 3)
        The face all of whose coefficients are 0, in cm.
    modes : ndarray, shape (K, 468, 3)
        From :func:`face_modes`.

    Returns
    -------
    ndarray, shape (T, K)
        In cm, as the root of the sum of squares over all points. Identity and expression
        together; the change within a clip is expression.

    Notes
    -----
    OpenFace's parameters are coordinates in its own licensed point distribution model; these are
    not them, but serve as they do: a shape is ``template + coefficients @ modes`` (Cootes et al.
    1995, "Active shape models - their training and application", CVIU 61(1), eq. 1).
    """
    points = len(FACE_POINTS)
    moved = faces[:, :points] - template[:points]
    coefficients: Float64Array = np.tensordot(moved, modes, axes=([1, 2], [1, 2]))
    return coefficients


def rigid_parameters(*, fit: SimilarityFit) -> Float64Array:
    """Scale, rotation and place of a face under weak perspective, as OpenFace names them.

    Parameters
    ----------
    fit : SimilarityFit
        From :func:`extractors.face_geometry.fit_face`.

    Returns
    -------
    ndarray, shape (T, 6)
        ``p_scale`` in pixels per mm; ``p_rx, p_ry, p_rz`` in radians with ``Rx Ry Rz``, against
        the line of sight, not the camera's axes; ``p_tx, p_ty``, the template's origin, in pixels
        from the picture's left and upper edge.
    """
    scale = fit.scale / MILLIMETRES_PER_CENTIMETRE
    angles = euler_angles(rotation=fit.rotation)
    return np.column_stack([scale, angles, fit.translation[:, :2]])
