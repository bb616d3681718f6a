"""Head position and rotation in OpenFace's convention."""

import numpy as np

from extractors.face_geometry import MILLIMETRES_PER_CENTIMETRE, Camera, SimilarityFit, ray_rotation
from extractors.rotation import Float64Array, euler_angles


def head_pose(*, fit: SimilarityFit, camera: Camera) -> Float64Array:
    """Head pose against the camera's axes.

    Positive rx: the nose goes down; positive ry: the nose goes to the image's left; positive rz:
    the crown tips to the image's right. All zero: the face is square to the image plane.

    Parameters
    ----------
    fit : SimilarityFit
        From :func:`extractors.face_geometry.fit_face`, every scale > 0.
    camera : Camera
        The camera; the distance scales with its focal length.

    Returns
    -------
    ndarray, shape (T, 6)
        Tx, Ty, Tz of the template's origin in mm (x right, y down, z away) and rx, ry, rz in
        radians with ``R = Rx(rx) Ry(ry) Rz(rz)``.

    Notes
    -----
    Weak perspective: all points of a head are taken to be equally far away, so ``Tz = f / scale``.
    The convention is that of Baltrusaitis et al. (2018), "OpenFace 2.0: Facial Behavior Analysis
    Toolkit", FG 2018, and of its source.
    """
    distance = camera.focal_length / fit.scale * MILLIMETRES_PER_CENTIMETRE
    right = (fit.translation[:, 0] - camera.center_x) / camera.focal_length * distance
    down = (fit.translation[:, 1] - camera.center_y) / camera.focal_length * distance
    angles = euler_angles(rotation=ray_rotation(fit=fit, camera=camera) @ fit.rotation)
    return np.column_stack([right, down, distance, angles])
