"""Action units from the 52 blendshape scores of mediapipe's face landmarker."""

import numpy as np
import numpy.typing as npt

from extractors.action_units import ACTION_UNITS, ActionUnit
from extractors.rotation import Float64Array

BLENDSHAPES = (
    *("_neutral", "browDownLeft", "browDownRight", "browInnerUp"),
    *("browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft"),
    *("cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft"),
    *("eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft"),
    *("eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft"),
    *("eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen"),
    *("jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft"),
    *("mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft"),
    *("mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)
# Without a side: the mean of left and right. The channels cheekSquint, noseSneer and cheekPuff
# exist but never move, so AU06 is read off what moves with it, and AU09 is not among these.
MEMBERS = {
    "AU01": ("browInnerUp",),
    "AU02": ("browOuterUp",),
    "AU04": ("browDown",),
    "AU05": ("eyeWide",),
    "AU06": ("eyeSquint", "mouthSmile"),
    "AU07": ("eyeSquint",),
    "AU10": ("mouthUpperUp",),
    "AU12": ("mouthSmile",),
    "AU14": ("mouthDimple",),
    "AU15": ("mouthFrown",),
    "AU17": ("mouthShrugLower",),
    "AU26": ("jawOpen",),
    "AU45": ("eyeBlink",),
}
LIPS_APART = ("jawOpen", "mouthLowerDown", "mouthUpperUp")
BLENDSHAPE_MEASURE_NAMES = (*MEMBERS, "AU25")
# A score of 1 is the fullest expression: five steps. The clip's median is the neutral face.
SCORE_STEP = 0.2
BLENDSHAPE_UNITS = tuple(
    ActionUnit(unit.name, SCORE_STEP, neutral_quantile=0.5)
    if unit.name in BLENDSHAPE_MEASURE_NAMES
    else unit
    for unit in ACTION_UNITS
)


def blendshape_measures(*, scores: npt.NDArray[np.floating]) -> Float64Array:
    """Combine blendshape scores into one measure for each action unit.

    For :func:`extractors.action_units.action_units` with ``units=BLENDSHAPE_UNITS``, which reads
    the same action units as without blendshapes; AU09, which no blendshape shows, from the
    column "AU09" of :func:`extractors.action_unit_geometry.action_unit_geometry`.

    Parameters
    ----------
    scores : ndarray, shape (T, 52)
        In [0, 1], columns as in ``BLENDSHAPES``.

    Returns
    -------
    ndarray, shape (T, 14)
        Columns as in ``BLENDSHAPE_MEASURE_NAMES``; in [0, 1], but AU25, whose closed lips are
        subtracted, in [-1, 1].
    """
    columns = [np.mean([_score(scores, name) for name in names], 0) for names in MEMBERS.values()]
    apart = np.max([_score(scores, name) for name in LIPS_APART], axis=0)
    return np.column_stack([*columns, apart - _score(scores, "mouthClose")])


def _score(scores: npt.NDArray[np.floating], name: str) -> Float64Array:
    """Score of a channel; the mean of its two sides if it has them."""
    sides = [name] if name in BLENDSHAPES else [f"{name}Left", f"{name}Right"]
    mean: Float64Array = scores[:, [BLENDSHAPES.index(side) for side in sides]].mean(axis=1)
    return mean
