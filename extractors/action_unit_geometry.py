"""What action units do to the face's landmarks: lengths in cm on the pose-free face.

Every measure grows with the action that it is named after. Where a definition of the Facial
Action Coding System (Ekman, Friesen & Hager 2002) leaves open against what a part of the face
moves, it is measured against rows that expression leaves alone: the corners of the eyes, the
nose's root and the nose's base.
"""

from collections.abc import Callable

import numpy as np

from extractors.rotation import Float64Array

Measure = Callable[[Float64Array], Float64Array]

EYE_CORNERS = (33, 133, 263, 362)
UPPER_LIDS = (158, 159, 160, 385, 386, 387)
LOWER_LIDS = (144, 145, 153, 373, 374, 380)
INNER_BROWS = (55, 107, 285, 336)
OUTER_BROWS = (46, 70, 276, 300)
NOSE_ROOT = (6, 168)
NOSE_BASE = (2, 97, 326)
NOSE_WINGS = (98, 129, 327, 358)
CHEEKS = (50, 101, 117, 118, 205, 280, 330, 346, 347, 425)
MOUTH_CORNERS = (61, 291)
MOUTH_MIDDLE = (0, 17)
# Where the levators of the upper lip pull: between its middle and its corners.
UPPER_LIP_SIDES = (39, 40, 269, 270)
LOWER_LIP = (17, 84, 314)
UPPER_LIP_INNER = (13, 82, 312)
LOWER_LIP_INNER = (14, 87, 317)
INNER_MOUTH_CORNERS = (78, 308)
CHIN = (32, 194, 262, 418)
# Between the inner corners of a mouth 5.2 cm wide (Farkas 1994).
INNER_MOUTH_WIDTH_CM = 4.5


def inner_brow_height(faces: Float64Array) -> Float64Array:
    """Height of the inner brows over the nose's root: AU01.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm.
    """
    return _height(faces, INNER_BROWS) - _height(faces, NOSE_ROOT)


def outer_brow_height(faces: Float64Array) -> Float64Array:
    """Height of the outer brows over the nose's base: AU02.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm.
    """
    return _height(faces, OUTER_BROWS) - _height(faces, NOSE_BASE)


def upper_lid_height(faces: Float64Array) -> Float64Array:
    """Height of the upper lids over the corners of the eyes: AU05.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm.
    """
    return _height(faces, UPPER_LIDS) - _height(faces, EYE_CORNERS)


def cheek_height(faces: Float64Array) -> Float64Array:
    """Height of the cheeks over the middle between eyes and nose's base: AU06.

    A row on either side of the cheeks: an error of the pose tilts both alike and cancels.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm.
    """
    middle = (_height(faces, EYE_CORNERS) + _height(faces, NOSE_BASE)) / 2.0
    return _height(faces, CHEEKS) - middle


def lower_lid_height(faces: Float64Array) -> Float64Array:
    """Height of the lower lids over the corners of the eyes: AU07.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm.
    """
    return _height(faces, LOWER_LIDS) - _height(faces, EYE_CORNERS)


def nose_shortening(faces: Float64Array) -> Float64Array:
    """Minus the way from the inner brows down to the nose's wings: AU09.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm, below 0.
    """
    return _height(faces, NOSE_WINGS) - _height(faces, INNER_BROWS)


def upper_lip_height(faces: Float64Array) -> Float64Array:
    """Height of the upper lip's sides over the nose's base: AU10.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm, below 0.
    """
    return _height(faces, UPPER_LIP_SIDES) - _height(faces, NOSE_BASE)


def lip_corner_pull(faces: Float64Array) -> Float64Array:
    """Half the mouth's width plus the height of its corners over its middle: AU12.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm.
    """
    return _half_width(faces) + _height(faces, MOUTH_CORNERS) - _height(faces, MOUTH_MIDDLE)


def lip_corner_depth(faces: Float64Array) -> Float64Array:
    """Half the mouth's width plus how far its corners lie behind the face's mean depth: AU14.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm.
    """
    depth: Float64Array = faces[:, MOUTH_CORNERS, 2].mean(axis=-1)
    return _half_width(faces) - depth


def lip_corner_drop(faces: Float64Array) -> Float64Array:
    """Depth of the mouth's corners under the nose's base: AU15.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm.
    """
    return _height(faces, NOSE_BASE) - _height(faces, MOUTH_CORNERS)


def lower_lip_height(faces: Float64Array) -> Float64Array:
    """Height of the lower lip's rim over the mouth's corners: AU17.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm, below 0.
    """
    return _height(faces, LOWER_LIP) - _height(faces, MOUTH_CORNERS)


def lip_gap(faces: Float64Array) -> Float64Array:
    """Gap between the lips' inner edges.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm; a little below 0 where the mesh lets closed lips overlap.
    """
    return _height(faces, UPPER_LIP_INNER) - _height(faces, LOWER_LIP_INNER)


def lip_parting(faces: Float64Array) -> Float64Array:
    """Gap between the lips, less where the mouth is narrow: AU25.

    Between the opening's height and its area, which differ by the mouth's width: rounded lips
    (AU18, AU22) part less than spread ones with the same gap.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm; the gap itself for a mouth of usual width.
    """
    right, left = INNER_MOUTH_CORNERS
    width = np.maximum(faces[:, left, 0] - faces[:, right, 0], 0.0)
    parting: Float64Array = lip_gap(faces) * np.sqrt(width / INNER_MOUTH_WIDTH_CM)
    return parting


def chin_drop(faces: Float64Array) -> Float64Array:
    """Distance of the chin from the nose's root: AU26.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm.
    """
    return _height(faces, NOSE_ROOT) - _height(faces, CHIN)


def lid_closure(faces: Float64Array) -> Float64Array:
    """Minus the gap between the lids: AU45.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm, 0 for touching lids.
    """
    return _height(faces, LOWER_LIDS) - _height(faces, UPPER_LIDS)


GEOMETRY: dict[str, Measure] = {
    "AU01": inner_brow_height,
    "AU02": outer_brow_height,
    "AU05": upper_lid_height,
    "AU06": cheek_height,
    "AU07": lower_lid_height,
    "AU09": nose_shortening,
    "AU10": upper_lip_height,
    "AU12": lip_corner_pull,
    "AU14": lip_corner_depth,
    "AU15": lip_corner_drop,
    "AU17": lower_lip_height,
    "AU25": lip_parting,
    "AU26": chin_drop,
    "AU45": lid_closure,
}
GEOMETRY_NAMES = tuple(GEOMETRY)


def action_unit_geometry(*, faces: Float64Array) -> Float64Array:
    """Measure every action unit that landmarks show.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm, from :func:`extractors.face_geometry.pose_free_face` on the rigid
        points: only they leave the expression alone.

    Returns
    -------
    ndarray, shape (T, 14)
        In cm, columns as in ``GEOMETRY_NAMES``.
    """
    return np.column_stack([measure(faces) for measure in GEOMETRY.values()])


def _height(faces: Float64Array, points: tuple[int, ...]) -> Float64Array:
    """Mean y of some points."""
    height: Float64Array = faces[:, points, 1].mean(axis=-1)
    return height


def _half_width(faces: Float64Array) -> Float64Array:
    right, left = MOUTH_CORNERS
    half: Float64Array = (faces[:, left, 0] - faces[:, right, 0]) / 2.0
    return half
