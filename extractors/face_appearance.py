"""Skin texture that landmarks do not follow: the furrows between the brows.

A small patch of the picture is brought into the template's frontal view and its contrast
measured, relative to the patch's brightness.
"""

import cv2
import numpy as np

from extractors.face_geometry import RIGID_POINTS, Landmarks
from extractors.face_template import face_template
from extractors.media import ImageArray
from extractors.rotation import Float64Array
from extractors.sequence import FloatArray

APPEARANCE_NAMES = ("AU04",)
# The glabella: between the brows (point 8), from the nose's root to the lower forehead. Wide
# enough that lowered brows enter it, too narrow for raised ones.
PATCH_CENTER = 8
PATCH_WIDTH_CM, PATCH_HEIGHT_CM = 1.6, 2.4
PIXELS_PER_CM = 10.0
PATCH_SIZE = (round(PATCH_WIDTH_CM * PIXELS_PER_CM), round(PATCH_HEIGHT_CM * PIXELS_PER_CM))
# Brightness (of 255) and contrast below which there is only noise: keep the ratios finite.
LEAST_BRIGHTNESS = 5.0
LEAST_CONTRAST = 1e-3


def appearance_measures(*, image: ImageArray, landmarks: Landmarks) -> FloatArray:
    """Measure what the skin of one face shows in one picture.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        RGB, upright.
    landmarks : ndarray, shape (478, 3)
        Face mesh in pixels of the picture, finite.

    Returns
    -------
    ndarray of float32, shape (1,)
        Columns as in ``APPEARANCE_NAMES``: natural logarithm of the root mean square gradient of
        the glabella's brightness, in shares of its mean per mm. Only its change within a clip
        means anything: it depends on the person, the light and the picture's sharpness. What lies
        outside the picture continues its edge.

    Notes
    -----
    The frowning brow (AU04) wrinkles the glabella and pushes the brows into it. Gradient energy is
    the first stage of histograms of oriented gradients (Dalal & Triggs 2005), by which OpenFace
    reads this action unit; their orientations did not help.
    """
    patch = cv2.warpAffine(
        image,
        _to_patch(landmarks),
        PATCH_SIZE,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    gray = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).astype(np.float32)
    gray /= gray.mean() + LEAST_BRIGHTNESS
    energy = np.square(np.diff(gray, axis=0)).mean() + np.square(np.diff(gray, axis=1)).mean()
    return np.array([np.log(np.sqrt(energy) + LEAST_CONTRAST)], np.float32)


def _to_patch(landmarks: Landmarks) -> Float64Array:
    """Similarity (2, 3) from patch to picture: the template's frontal view laid on the face.

    In complex numbers a turn with a scale is one factor, and its least squares fit a quotient.
    """
    frontal = face_template()[:, :2] * [1.0, -1.0] * PIXELS_PER_CM
    corner = frontal[PATCH_CENTER] - (np.array(PATCH_SIZE) - 1) / 2.0
    rigid = list(RIGID_POINTS)
    source = _complex(frontal[rigid] - corner)
    target = _complex(landmarks[rigid, :2].astype(np.float64))
    centered = source - source.mean()
    turn = np.vdot(centered, target) / np.vdot(centered, centered)
    shift = target.mean() - turn * source.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _complex(points: Float64Array) -> "np.ndarray[tuple[int], np.dtype[np.complex128]]":
    return points[:, 0] + 1j * points[:, 1]
