"""Published sets of facial columns, as far as they can be had from landmarks."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from extractors.face_shape import RIGID_NAMES, SHAPE_NAMES
from extractors.sequence import BoolArray, FloatArray, Seconds, TimeArray

ColumnSet = Literal["openface", "facet35", "urfunny371-like"]

_GAZE = (
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
    *("gaze_angle_x", "gaze_angle_y"),
)
_POSE = ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")
_INTENSITIES = tuple(
    f"AU{unit:02d}_r" for unit in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
)
_PRESENCES = tuple(
    f"AU{unit:02d}_c" for unit in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
)
# In their publications' order.
_SELECTED: Mapping[str, tuple[str, ...]] = {
    "openface": ("confidence", *_GAZE, *_POSE, *_INTENSITIES, *_PRESENCES, *SHAPE_NAMES),
    "urfunny371-like": (
        *("confidence", "success", *_GAZE, *_POSE),
        *(*RIGID_NAMES, *SHAPE_NAMES, *_INTENSITIES, *_PRESENCES),
    ),
}
MAX_INTENSITY = 5.0
# Action units that make an emotion (EMFACS, after Ekman, Friesen & Hager 2002); confusion and
# frustration, which are not in it, by our own judgement.
EMOTIONS: Mapping[str, tuple[int, ...]] = {
    "Anger": (4, 5, 7, 23),
    "Disgust": (9, 15, 16),
    "Joy": (6, 12),
    "Fear": (1, 2, 4, 5, 7, 20, 26),
    "Sadness": (1, 4, 15),
    "Surprise": (1, 2, 5, 26),
    "Confusion": (4, 7),
    "Frustration": (4, 14, 23),
}
_FACET_UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 18, 20, 23, 24, 25, 26, 28, 43)
_FACET_ORDER = (
    *("Anger", "Disgust", "Joy", "Fear", "Baseline", "Sadness", "Surprise"),
    *("Confusion", "Frustration", *(f"AU{unit}" for unit in _FACET_UNITS)),
    *("Pitch", "Yaw", "Roll"),
)
_ANGLES = {"Pitch": "pose_Rx", "Yaw": "pose_Ry", "Roll": "pose_Rz"}
# Lids closed at this intensity for longer than this are closed eyes, not a blink.
CLOSED = 1.0
LONGEST_BLINK: Seconds = 0.5


class Columns(NamedTuple):
    """Some named columns.

    Attributes
    ----------
    values : ndarray of float32, shape (T, D)
        One row per frame.
    names : tuple of str, length D
        One name per column.
    """

    values: FloatArray
    names: tuple[str, ...]


def select_columns(
    *,
    values: FloatArray,
    names: Sequence[str],
    times: TimeArray,
    valid: BoolArray,
    columns: ColumnSet,
) -> Columns:
    """Make a published set of columns out of everything that was measured.

    A column of a set that was not measured is left out, never filled.

    Parameters
    ----------
    values : ndarray of float32, shape (T, N)
        Everything measured, in OpenFace's units, finite; 0 where there is no face.
    names : sequence of str, length N
        OpenFace's names, ``p_scale`` to ``p_ty`` and ``shape_0`` to ``shape_33``.
    times : ndarray of float64, shape (T, 2)
        Start and end of every row.
    valid : ndarray of bool, shape (T,)
        Rows in which everything is measured.
    columns : {"openface", "facet35", "urfunny371-like"}
        Which set.

    Returns
    -------
    Columns
        In the set's own order.

    Raises
    ------
    ValueError
        If the set is unknown or a name is not there once per column.

    Notes
    -----
    **openface**: ``confidence``, 8 gaze, 6 pose, 17 ``AU*_r``, 18 ``AU*_c`` in the order of
    OpenFace 2.2's CSV, then ``shape_0`` to ``shape_33`` in the place of ``p_0`` to ``p_33``, which
    are coordinates in OpenFace's own licensed shape model. Left out: ``frame``, ``face_id``,
    ``timestamp``, ``success`` (the sequence's rows, times and ``valid`` say them), the 280 eye
    landmarks, the 340 face landmarks of the iBUG-68 layout, ``p_scale`` to ``p_ty``, and the action
    units that landmarks do not show: with the mesh AU20, AU23 and AU28.

    **urfunny371-like**: UR-FUNNY v2's 371 columns less the 280 eye landmarks (their 56-point
    layout has no counterpart in the mesh, which has 16 points around an eye and 5 on an iris):
    ``confidence``, ``success`` if it was given, gaze, pose, ``p_scale`` to ``p_ty``, ``shape_*``
    for the 34 non-rigid parameters, ``AU*_r``, ``AU*_c``, with the same action units missing.

    **facet35**: the order of CMU-MOSEI's ``VisualFacet42``. Left out: ``Contempt`` (a smile of one
    side; both sides are measured together), ``Has_Glasses`` and ``Is_Male`` (not in landmarks),
    and with the mesh ``AU18``, ``AU20``, ``AU23``, ``AU24`` and ``AU28``. An action unit is 0 to 5;
    ``AU43`` is AU45 while it stays above 1 for longer than 0.5 s. An emotion is the mean of its
    action units (``EMOTIONS``), those that were measured if they are more than half of them,
    over 5, so from 0 to 1: a score, not a probability. ``Baseline`` is 1 less the strongest.
    Angles are in degrees with OpenFace's signs. Facet's own values are log odds: a model trained
    on them must not be given these.
    """
    if columns not in get_args(ColumnSet):
        raise ValueError(
            f"unknown set of columns {columns!r}; there are: {', '.join(get_args(ColumnSet))}"
        )
    if values.ndim != 2 or values.shape[1] != len(names) or len(set(names)) != len(names):
        raise ValueError(
            f"values of shape {values.shape} need {values.shape[-1]} distinct names, "
            f"got {len(names)}, {len(set(names))} of them distinct"
        )
    measured = {name: values[:, column] for column, name in enumerate(names)}
    if columns == "facet35":
        return _facet(measured=measured, times=times, valid=valid)
    wanted = tuple(name for name in _SELECTED[columns] if name in measured)
    return _stacked(measured, wanted, rows=len(values))


def _stacked(measured: Mapping[str, FloatArray], names: tuple[str, ...], *, rows: int) -> Columns:
    values = np.zeros((rows, len(names)), np.float32)
    for column, name in enumerate(names):
        values[:, column] = measured[name]
    return Columns(values, names)


def _facet(*, measured: Mapping[str, FloatArray], times: TimeArray, valid: BoolArray) -> Columns:
    """Make the columns of Facet that can be had."""
    had: dict[str, FloatArray] = {}
    for unit in _FACET_UNITS:
        if f"AU{unit:02d}_r" in measured:
            had[f"AU{unit}"] = measured[f"AU{unit:02d}_r"]
    if "AU45_r" in measured:
        had["AU43"] = _closed_eyes(measured["AU45_r"], times=times)
    for name, angle in _ANGLES.items():
        if angle in measured:
            had[name] = np.degrees(measured[angle])
    emotions = _emotions(measured)
    if emotions:
        strongest = np.max(list(emotions.values()), axis=0)
        had["Baseline"] = np.where(valid, 1.0 - strongest, 0.0).astype(np.float32)
    had |= emotions
    names = tuple(name for name in _FACET_ORDER if name in had)
    return _stacked(had, names, rows=len(valid))


def _emotions(measured: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Score the emotions of whose action units more than half are measured."""
    scores = {}
    for emotion, units in EMOTIONS.items():
        there = [name for unit in units if (name := f"AU{unit:02d}_r") in measured]
        if 2 * len(there) > len(units):
            scores[emotion] = np.mean([measured[name] for name in there], axis=0) / MAX_INTENSITY
    return scores


def _closed_eyes(closure: FloatArray, *, times: TimeArray) -> FloatArray:
    """Keep the closure of the lids where it lasts longer than a blink, 0 elsewhere."""
    closed = np.concatenate([[False], closure > CLOSED, [False]])
    starts, ends = np.flatnonzero(np.diff(closed)).reshape(-1, 2).T
    kept = np.zeros_like(closure)
    for start, end in zip(starts, ends, strict=True):
        if times[end - 1, 1] - times[start, 0] > LONGEST_BLINK:
            kept[start:end] = closure[start:end]
    return kept
