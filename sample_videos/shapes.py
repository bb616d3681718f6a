"""Face shapes: how the mesh of a portrait moves for each expression.

A shape is a displacement of every mesh vertex, in pixels of the portrait. Shapes are added with
the strengths of a frame, so a face is ``rest + mouth * open + smile * ...``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator

FloatArray = npt.NDArray[np.float64]

# Vertex numbers of mediapipe's face mesh. Lip rows run from the corner on the image's left to the
# corner on the right, from the skin inwards.
UPPER_LIP = np.array(
    [
        [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291],
        [76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306],
        [62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292],
        [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308],
    ]
)
LOWER_LIP = np.array(
    [
        [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291],
        [76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306],
        [62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292],
        [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308],
    ]
)
# Lids from corner to corner: right eye (image's left), then left eye.
UPPER_LID = np.array([[246, 161, 160, 159, 158, 157, 173], [466, 388, 387, 386, 385, 384, 398]])
LOWER_LID = np.array([[7, 163, 144, 145, 153, 154, 155], [249, 390, 373, 374, 380, 381, 382]])
EYE_CORNERS = np.array([[33, 133], [263, 362]])
LID_FOLD = np.array([[247, 30, 29, 27, 28, 56, 190], [467, 260, 259, 257, 258, 286, 414]])
UNDER_EYE = np.array([[25, 110, 24, 23, 22, 26, 112], [255, 339, 254, 253, 252, 256, 341]])
RIGHT_BROW = [70, 63, 105, 66, 107, 46, 53, 52, 65, 55]
LEFT_BROW = [300, 293, 334, 296, 336, 276, 283, 282, 295, 285]
NOSE = [1, 4, 5, 195, 197, 6, 168, 2, 97, 326, 98, 327, 94, 129, 358, 48, 278, 64, 294]
UPPER_OVAL = [10, 338, 297, 332, 284, 251, 389, 356, 454, 109, 67, 103, 54, 21, 162, 127, 234]
CHIN = [152, 148, 377, 176, 400, 175, 199, 200, 208, 428, 171, 396, 32, 262, 140, 369]
JAW_SIDES = [172, 397, 136, 365, 150, 379, 149, 378]
JAW_HINGE = [93, 323, 132, 361, 58, 288]
CHEEKS = [50, 280, 101, 330, 205, 425, 117, 346, 118, 347, 36, 266]
# Outer eye corners are about this far apart in an adult.
EYE_SPAN_CM = 8.9


@dataclass(frozen=True)
class Shapes:
    """Displacements of the 468 mesh vertices, in pixels, shape (468, 2) each.

    Attributes
    ----------
    rest : ndarray
        From the portrait to a neutral face with closed lips.
    open, smile, frown, brow_raise, brow_lower, blink : ndarray
        At full strength, on top of ``rest``.
    """

    rest: FloatArray
    open: FloatArray
    smile: FloatArray
    frown: FloatArray
    brow_raise: FloatArray
    brow_lower: FloatArray
    blink: FloatArray


def build_shapes(*, mesh: FloatArray) -> Shapes:
    """Build the shapes of one portrait.

    Parameters
    ----------
    mesh : ndarray, shape (468 or more, 2 or 3)
        Mesh vertices of the portrait in pixels, x to the right, y down.

    Returns
    -------
    Shapes
        Displacements in pixels.
    """
    points = np.asarray(mesh[:468, :2], dtype=np.float64)
    centimetre = float(np.linalg.norm(points[263] - points[33])) / EYE_SPAN_CM
    rest = _rest(points, centimetre)
    neutral = points + rest
    return Shapes(
        rest=rest,
        open=_open(neutral) * centimetre,
        smile=_smile(neutral) * centimetre,
        frown=_frown(neutral) * centimetre,
        brow_raise=_brow_raise(neutral) * centimetre,
        brow_lower=_brow_lower(neutral) * centimetre,
        blink=_blink(neutral),
    )


def _spread(
    points: FloatArray, moved: dict[int, tuple[float, float]], fixed: list[int]
) -> FloatArray:
    """Spread displacements of some vertices smoothly over all of them."""
    known = dict.fromkeys(fixed, (0.0, 0.0)) | moved
    vertices = list(known)
    spline = RBFInterpolator(
        points[vertices], np.array([known[v] for v in vertices]), kernel="thin_plate_spline",
        smoothing=1e-3,
    )  # fmt: skip
    field: FloatArray = spline(points)
    field[vertices] = [known[v] for v in vertices]
    return field


def _eye_region() -> list[int]:
    rings = (UPPER_LID, LOWER_LID, EYE_CORNERS, LID_FOLD, UNDER_EYE)
    return [int(v) for ring in rings for v in ring.ravel()]


def _still_for_mouth() -> list[int]:
    return _eye_region() + NOSE + UPPER_OVAL + RIGHT_BROW + LEFT_BROW


def _along(points: FloatArray, vertices: npt.NDArray[np.int_]) -> FloatArray:
    """Place of lip vertices between the corners, -1 (image's left) to 1."""
    left, right = points[61], points[291]
    half = (right[0] - left[0]) / 2
    place: FloatArray = np.clip((points[vertices, 0] - (left[0] + right[0]) / 2) / half, -1, 1)
    return place


def _rest(points: FloatArray, cm: float) -> FloatArray:
    """Close the lips, bring the corners of the portrait's smile in and down."""
    corners = points[[61, 291]]
    target_corners = corners + np.array([[0.46, 0.68], [-0.46, 0.68]]) * cm
    upper_inner, lower_inner = points[UPPER_LIP[-1]], points[LOWER_LIP[-1]]
    middle = 0.5 * (upper_inner[5, 1] + lower_inner[5, 1])
    centre = target_corners.mean(axis=0)
    moved: dict[int, tuple[float, float]] = {}
    for rows, inner, thickness in ((UPPER_LIP, upper_inner, 1.45), (LOWER_LIP, lower_inner, 1.25)):
        for row in rows:
            place = _along(points, row)
            x = centre[0] + place * (target_corners[1, 0] - target_corners[0, 0]) / 2
            chord = np.interp(place, [-1, 1], target_corners[:, 1])
            seam = chord + (middle - centre[1]) * (1 - place**2)
            y = seam + thickness * (points[row, 1] - inner[:, 1]) * (1 - np.abs(place) ** 3)
            for vertex, dx, dy in zip(row, x - points[row, 0], y - points[row, 1], strict=True):
                moved[int(vertex)] = (float(dx), float(dy))
    cheeks = dict.fromkeys(CHEEKS, (0.0, 0.12 * cm))
    return _spread(points, cheeks | moved, _still_for_mouth() + CHIN + JAW_SIDES + JAW_HINGE)


def _lips(
    points: FloatArray, *, corner: tuple[float, float], upper: float, lower: float
) -> dict[int, tuple[float, float]]:
    """Move the lips: corners outwards and down by ``corner``, the middles down by the others."""
    moved: dict[int, tuple[float, float]] = {}
    for rows, middle in ((UPPER_LIP, upper), (LOWER_LIP, lower)):
        for row in rows:
            for vertex, place in zip(row, _along(points, row), strict=True):
                dy = middle + (corner[1] - middle) * abs(place) ** 1.8
                moved[int(vertex)] = (float(corner[0] * place), float(dy))
    return moved


def _open(points: FloatArray) -> FloatArray:
    lips = _lips(points, corner=(-0.12, 0.55), upper=-0.12, lower=1.25)
    chin = dict.fromkeys(CHIN, (0.0, 1.05))
    sides = dict(zip(JAW_SIDES, [(0.0, y) for y in (0.45, 0.45, 0.6, 0.6, 0.8, 0.8, 0.95, 0.95)],
                     strict=True))  # fmt: skip
    cheeks = dict.fromkeys(CHEEKS, (0.0, 0.05))
    return _spread(points, chin | sides | cheeks | lips, _still_for_mouth() + JAW_HINGE)


def _smile(points: FloatArray) -> FloatArray:
    lips = _lips(points, corner=(0.5, -0.62), upper=-0.08, lower=0.02)
    cheeks = dict.fromkeys(CHEEKS, (0.0, -0.22))
    under = {int(v): (0.0, -0.05) for v in UNDER_EYE.ravel()}
    still = _still_for_mouth() + CHIN + JAW_SIDES + JAW_HINGE
    return _spread(points, cheeks | under | lips, still)


def _frown(points: FloatArray) -> FloatArray:
    lips = _lips(points, corner=(-0.14, 0.7), upper=0.0, lower=-0.08)
    chin = dict.fromkeys((199, 200, 175), (0.0, -0.1))
    still = _still_for_mouth() + CHIN + JAW_SIDES + JAW_HINGE
    return _spread(points, chin | lips, [v for v in still if v not in chin])


def _brows(
    points: FloatArray, inner: tuple[float, float], outer: tuple[float, float]
) -> FloatArray:
    """Move the brows: inner and outer ends by (towards the middle, down)."""
    moved: dict[int, tuple[float, float]] = {}
    for brow, sign in ((RIGHT_BROW, 1.0), (LEFT_BROW, -1.0)):
        for vertex, share in zip(brow, 2 * [0.0, 0.25, 0.5, 0.75, 1.0], strict=True):
            dx, dy = (outer[k] + share * (inner[k] - outer[k]) for k in (0, 1))
            moved[vertex] = (sign * dx, dy)
    fold = {int(v): (0.0, 0.12 * inner[1]) for v in LID_FOLD.ravel()}
    between = dict.fromkeys((9, 8), (0.0, 0.7 * inner[1]))
    still = [v for ring in (UPPER_LID, LOWER_LID, EYE_CORNERS) for v in ring.ravel().tolist()]
    return _spread(points, moved | fold | between, still + NOSE + UPPER_OVAL + CHEEKS)


def _brow_raise(points: FloatArray) -> FloatArray:
    return _brows(points, (0.0, -0.75), (0.0, -0.6))


def _brow_lower(points: FloatArray) -> FloatArray:
    return _brows(points, (0.42, 0.55), (0.15, 0.15))


def _blink(points: FloatArray) -> FloatArray:
    """Bring the upper lids down to just above the lower ones; skin follows."""
    shape = np.zeros_like(points)
    gap = points[LOWER_LID, 1] - points[UPPER_LID, 1]
    shape[UPPER_LID, 1] = 0.92 * gap
    shape[LOWER_LID, 1] = -0.08 * gap
    shape[LID_FOLD, 1] = 0.5 * gap
    return shape
