"""Intensities of facial action units from pose-free landmarks.

A geometric measure in cm on the pose-free face, smoothed, less the neutral face's value, divided
by how many cm make one step of FACS's five (Ekman, Friesen & Hager 2002). The steps and the
offset are round numbers from the anatomy of adults, fitted to no other program's output.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from extractors.rotation import Float64Array
from extractors.sequence import BoolArray

MAX_INTENSITY = 5.0


class ActionUnit(NamedTuple):
    """How one action unit is measured.

    Attributes
    ----------
    name : str
        Column name.
    measure : callable
        Pose-free faces (T, 478, 3) in cm to the measure (T,) in cm, growing with the action.
    centimetres_per_step : float
        Change of the measure from one intensity to the next, > 0.
    neutral_quantile : float or None
        Quantile of the clip's measure taken for the neutral face: the share of frames in which
        OpenFace takes the action to be absent. None for an action unit with a fixed neutral.
    neutral_offset : float
        The fixed neutral in cm.
    """

    name: str
    measure: Callable[[Float64Array], Float64Array]
    centimetres_per_step: float
    neutral_quantile: float | None = None
    neutral_offset: float = 0.0


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
    return _height(faces, 55, 107, 285, 336) - _height(faces, 6, 168)


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
    return _height(faces, 46, 70, 276, 300) - _height(faces, 2, 97, 326)


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
    half_width: Float64Array = (faces[:, 291, 0] - faces[:, 61, 0]) / 2.0
    return half_width + _height(faces, 61, 291) - _height(faces, 0, 17)


def lip_gap(faces: Float64Array) -> Float64Array:
    """Gap between the lips' inner edges: AU25.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces in cm.

    Returns
    -------
    ndarray, shape (T,)
        In cm.
    """
    upper, lower = faces[:, (13, 82, 312)], faces[:, (14, 87, 317)]
    gap: Float64Array = np.linalg.norm(upper - lower, axis=-1).mean(axis=-1)
    return gap


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
    return _height(faces, 6, 168) - _height(faces, 32, 194, 262, 418)


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
    return _height(faces, 144, 145, 153, 373, 374, 380) - _height(
        faces, 158, 159, 160, 385, 386, 387
    )


ACTION_UNITS = (
    # The brow can be raised by about 1.25 cm.
    ActionUnit("AU01_r", inner_brow_height, 0.25, neutral_quantile=0.55),
    ActionUnit("AU02_r", outer_brow_height, 0.25, neutral_quantile=0.75),
    # Half of a mouth 5.2 cm wide (Farkas 1994), its corners about 1 mm over the middle of the
    # vermilion. A broad smile pulls a corner 1.8 cm back and up: 1.25 cm each way, 2.5 together.
    # Fixed, so that someone who smiles throughout does not become the neutral.
    ActionUnit("AU12_r", lip_corner_pull, 0.5, neutral_offset=2.7),
    # Beyond 2 cm between the lips the mouth is stretched open (AU27).
    ActionUnit("AU25_r", lip_gap, 0.4, neutral_quantile=0.30),
    # The jaw falls by about 2.5 cm when it relaxes wholly.
    ActionUnit("AU26_r", chin_drop, 0.5, neutral_quantile=0.30),
    # The open eye is about 1 cm high.
    ActionUnit("AU45_r", lid_closure, 0.2, neutral_quantile=0.60),
)


def action_unit_intensities(
    *,
    faces: Float64Array,
    reliable: BoolArray,
    action_units: tuple[ActionUnit, ...] = ACTION_UNITS,
) -> Float64Array:
    """Measure action units over a whole clip.

    Parameters
    ----------
    faces : ndarray, shape (T, 478, 3)
        Pose-free faces of one person in cm, from
        :func:`extractors.face_geometry.pose_free_face`; frames that are not reliable may hold
        anything.
    reliable : ndarray of bool, shape (T,)
        Frames that are measured. Only they make the neutral face and the moving means.
    action_units : tuple of ActionUnit, optional
        What is measured, all six without it.

    Returns
    -------
    ndarray, shape (T, number of action units)
        Intensities in [0, 5]; 0 where not reliable.

    Notes
    -----
    The values depend on the whole clip through its neutral face, as OpenFace's do: measure whole
    videos, not segments.
    """
    intensities = np.zeros((len(faces), len(action_units)))
    if not reliable.any():
        return intensities
    for column, unit in enumerate(action_units):
        measure = moving_mean(signal=unit.measure(faces), reliable=reliable)[reliable]
        neutral = unit.neutral_offset
        if unit.neutral_quantile is not None:
            neutral = float(np.quantile(measure, unit.neutral_quantile))
        steps = (measure - neutral) / unit.centimetres_per_step
        intensities[reliable, column] = np.clip(steps, 0.0, MAX_INTENSITY)
    return intensities


def moving_mean(*, signal: Float64Array, reliable: BoolArray) -> Float64Array:
    """Mean over a frame and its two neighbours, as far as they are reliable.

    Parameters
    ----------
    signal : ndarray, shape (T,)
        Values; those that are not reliable may be anything.
    reliable : ndarray of bool, shape (T,)
        Which values count.

    Returns
    -------
    ndarray, shape (T,)
        The means; 0 where none of the three is reliable.
    """
    window = np.ones(3)
    total = np.convolve(np.where(reliable, signal, 0.0), window)[1:-1]
    count = np.convolve(reliable.astype(np.float64), window)[1:-1]
    mean: Float64Array = total / np.maximum(np.round(count), 1.0)
    return mean


def _height(faces: Float64Array, *points: int) -> Float64Array:
    """Mean y of some points."""
    height: Float64Array = faces[:, points, 1].mean(axis=-1)
    return height
