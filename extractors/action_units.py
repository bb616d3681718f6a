"""Intensity and presence of facial action units over a whole clip.

A measure is smoothed, less the neutral face's value, divided by how much of it makes one step of
the five of FACS (Ekman, Friesen & Hager 2002). Steps and fixed neutrals are round numbers from the
anatomy of adults and from the neutral face of the project's own sample videos, fitted to no other
program's output. The shares of neutral frames are those that OpenFace's models state.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from extractors.action_unit_geometry import GEOMETRY_NAMES
from extractors.face_appearance import APPEARANCE_NAMES
from extractors.rotation import Float64Array
from extractors.sequence import BoolArray

MAX_INTENSITY = 5.0
# Above this an action counts as present: more than a trace.
PRESENT = 1.0
# OpenFace's 3 and 7 frames at 25 or 30 frames a second.
SMOOTHING_SECONDS = 0.12
PRESENCE_SECONDS = 0.25
# Three frames that last longer than this are not averaged: a blink is over sooner.
LONGEST_MEAN_SECONDS = 0.25
MEASURE_NAMES = (*GEOMETRY_NAMES, *APPEARANCE_NAMES)


class ActionUnit(NamedTuple):
    """How one action unit is read off its measure.

    Attributes
    ----------
    name : str
        ``AU`` and two digits, also the name of its measure.
    step : float
        Change of the measure from one intensity to the next, > 0; in the
        measure's own unit.
    neutral_quantile : float or None
        Quantile of the clip's measure taken for the neutral face: the share of frames in which
        the action is taken to be absent. None for an action unit with a fixed neutral.
    neutral_offset : float
        The fixed neutral, in the measure's own unit.
    """

    name: str
    step: float
    neutral_quantile: float | None = None
    neutral_offset: float = 0.0


ACTION_UNITS = (
    # The brow can be raised by about 1.25 cm.
    ActionUnit("AU01", 0.25, neutral_quantile=0.55),
    ActionUnit("AU02", 0.25, neutral_quantile=0.75),
    # A quarter more contrast to a step, so that three times as much is the maximum. Half of the
    # frames are neutral: OpenFace has no share for it.
    ActionUnit("AU04", math.log(1.25), neutral_quantile=0.5),
    # Half a cm of the white shows over the iris at most.
    ActionUnit("AU05", 0.1, neutral_quantile=0.80),
    # Fixed neutrals: someone who smiles throughout must not become the neutral. Those of AU06,
    # AU07 and AU10 are what the sample videos' neutral frames give (-0.33, -0.22 and -1.50 cm)
    # less the millimetre by which faces differ.
    ActionUnit("AU06", 0.15, neutral_offset=-0.45),
    ActionUnit("AU07", 0.1, neutral_offset=-0.3),
    # Brows and wings of the nose approach each other by 1 cm at most, half of it each.
    ActionUnit("AU09", 0.2, neutral_quantile=0.70),
    ActionUnit("AU10", 0.2, neutral_offset=-1.6),
    # Half of a mouth 5.2 cm wide (Farkas 1994), its corners about 1 mm over the middle of the
    # vermilion: 2.7, as in the sample videos' neutral frames. A broad smile pulls a corner 1.8 cm
    # back and up: 1.25 cm each way, 2.5 together.
    ActionUnit("AU12", 0.5, neutral_offset=2.7),
    # The same half mouth with its corners at the face's mean depth, pulled by the same amount.
    ActionUnit("AU14", 0.5, neutral_offset=2.6),
    # The corners can be lowered by as much as a smile raises them.
    ActionUnit("AU15", 0.25, neutral_quantile=0.55),
    ActionUnit("AU17", 0.25, neutral_quantile=0.20),
    # Lips without the jaw open by a little over 1 cm; what goes beyond is the jaw's.
    ActionUnit("AU25", 0.25, neutral_quantile=0.30),
    # The jaw falls by about 2.5 cm when it relaxes wholly.
    ActionUnit("AU26", 0.5, neutral_quantile=0.30),
    # The open eye is about 1 cm high.
    ActionUnit("AU45", 0.2, neutral_quantile=0.60),
)
INTENSITY_NAMES = tuple(f"{unit.name}_r" for unit in ACTION_UNITS)
PRESENCE_NAMES = tuple(f"{unit.name}_c" for unit in ACTION_UNITS)


class ActionUnits(NamedTuple):
    """Action units of every frame.

    Attributes
    ----------
    intensities : ndarray, shape (T, 15)
        In [0, 5], columns as in ``INTENSITY_NAMES``; 0 where not reliable.
    presence : ndarray, shape (T, 15)
        0 or 1, columns as in ``PRESENCE_NAMES``; 0 where not reliable.
    """

    intensities: Float64Array
    presence: Float64Array


def action_units(
    *,
    measures: npt.NDArray[np.floating],
    reliable: BoolArray,
    runs: npt.NDArray[np.integer],
    frame_rate: float,
    names: Sequence[str] = MEASURE_NAMES,
    units: Sequence[ActionUnit] = ACTION_UNITS,
) -> ActionUnits:
    """Read the action units of one person over a whole clip.

    Parameters
    ----------
    measures : ndarray, shape (T, M)
        One column per name; frames that are not reliable may hold anything.
    reliable : ndarray of bool, shape (T,)
        Frames that are measured. Only they make the neutral face and the moving means.
    runs : ndarray of int, shape (T,)
        Number of the unbroken run a frame belongs to, all frames of a run side by side; no mean
        reaches from one into another.
    frame_rate : float
        Frames a second, > 0; how many frames are smoothed depends on it.
    names : sequence of str, optional
        What the columns of ``measures`` are: those of
        :func:`extractors.action_unit_geometry.action_unit_geometry`, then those of
        :func:`extractors.face_appearance.appearance_measures` without it.
    units : sequence of ActionUnit, optional
        What is read, in this order.

    Returns
    -------
    ActionUnits
        One row per frame.

    Notes
    -----
    The values depend on the whole clip through its neutral face, as OpenFace's do: measure whole
    videos, not segments. Of OpenFace's action units AU20, AU23 and AU28 are not supported: neither
    landmarks nor appearance showed them.

    References
    ----------
    Baltrusaitis, Mahmoud & Robinson (2015), "Cross-dataset learning and person-specific
    normalisation for automatic Action Unit detection", FG 2015: neutral as a quantile.
    """
    columns = [names.index(unit.name) for unit in units]
    values = measures[:, columns].astype(np.float64)
    smooth = moving_mean(
        values=values,
        reliable=reliable,
        runs=runs,
        window=_odd_window(seconds=SMOOTHING_SECONDS, frame_rate=frame_rate),
    )
    intensities = np.zeros_like(values)
    if reliable.any():
        steps = np.array([unit.step for unit in units])
        above = (smooth[reliable] - _neutral(smooth[reliable], units)) / steps
        intensities[reliable] = np.clip(above, 0.0, MAX_INTENSITY)
    votes = moving_mean(
        values=(intensities > PRESENT).astype(np.float64),
        reliable=reliable,
        runs=runs,
        window=_odd_window(seconds=PRESENCE_SECONDS, frame_rate=frame_rate),
    )
    presence = np.where(reliable[:, None] & (votes > 0.5), 1.0, 0.0)
    return ActionUnits(intensities, presence)


def moving_mean(
    *,
    values: Float64Array,
    reliable: BoolArray,
    runs: npt.NDArray[np.integer],
    window: int,
) -> Float64Array:
    """Mean over a frame and its neighbours, as far as they are reliable and of the same run.

    Parameters
    ----------
    values : ndarray, shape (T, D)
        Values; those that are not reliable may be anything.
    reliable : ndarray of bool, shape (T,)
        Which rows count.
    runs : ndarray of int, shape (T,)
        Number of the unbroken run a row belongs to.
    window : int
        Number of rows, odd, > 0.

    Returns
    -------
    ndarray, shape (T, D)
        The means; 0 where no row counts.
    """
    known = np.where(reliable[:, None], values, 0.0)
    total = known.copy()
    count = reliable.astype(np.float64)
    for shift in range(1, window // 2 + 1):
        same = (runs[shift:] == runs[:-shift])[:, None]
        total[shift:] += np.where(same, known[:-shift], 0.0)
        total[:-shift] += np.where(same, known[shift:], 0.0)
        count[shift:] += same[:, 0] & reliable[:-shift]
        count[:-shift] += same[:, 0] & reliable[shift:]
    mean: Float64Array = total / np.maximum(count, 1.0)[:, None]
    return mean


def _neutral(measures: Float64Array, units: Sequence[ActionUnit]) -> Float64Array:
    """Neutral face's value of every action unit."""
    return np.array(
        [
            unit.neutral_offset
            if unit.neutral_quantile is None
            else np.quantile(measures[:, column], unit.neutral_quantile)
            for column, unit in enumerate(units)
        ]
    )


def _odd_window(*, seconds: float, frame_rate: float) -> int:
    """Odd number of frames that lasts about a time: at least 3, but 1 where 3 last too long."""
    if 3.0 / frame_rate > LONGEST_MEAN_SECONDS:
        return 1
    return max(3, 2 * math.floor(seconds * frame_rate / 2.0) + 1)
