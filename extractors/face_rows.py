"""The faces of a whole clip: measured while its pictures pass by, then read as rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from extractors.action_unit_geometry import GEOMETRY_NAMES
from extractors.action_units import INTENSITY_NAMES, PRESENCE_NAMES, ActionUnits, action_units
from extractors.blendshapes import (
    BLENDSHAPE_MEASURE_NAMES,
    BLENDSHAPE_UNITS,
    BLENDSHAPES,
    blendshape_measures,
)
from extractors.face_features import GAZE_NAMES, POSE_NAMES, FaceMeasures, face_measures
from extractors.face_shape import RIGID_NAMES, SHAPE_NAMES
from extractors.gaze import hold_while_closed
from extractors.media import ImageArray
from extractors.rotation import Float64Array
from extractors.sequence import BoolArray, FloatArray, Seconds, TimeArray
from extractors.speaker import FaceRows

ROW_NAMES = (
    *("confidence", "success", *GAZE_NAMES, *POSE_NAMES, *RIGID_NAMES, *SHAPE_NAMES),
    *(*INTENSITY_NAMES, *PRESENCE_NAMES),
)
# Faces whose landmarks are kept at once.
BLOCK = 256
# What the picture's edge cuts off is guessed, and bends the pose.
MIN_INSIDE = 0.9
# Intensity of AU45 from which the lids hide the irises.
CLOSED_EYES = 1.0
# Degrees beyond which the lips are seen from the side.
SPEAKING_YAW = 45.0
# Distance of the eyes' outer corners in pixels at which an iris is 4 pixels wide.
SHARP_EYE_SPAN = 30.0

IntArray = npt.NDArray[np.int64]


class SeenFace(NamedTuple):
    """A face in a picture.

    Attributes
    ----------
    face_id : int
        The same for the same face as long as it is followed; used once in a clip.
    landmarks : ndarray of float32, shape (478, 3)
        Pixels of the upright picture.
    score : float
        Probability that this is a face, in [0, 1].
    extra : ndarray of float32, shape (E,)
        What is read off the picture itself: appearance (E = 1) or blendshapes (E = 52).
    """

    face_id: int
    landmarks: FloatArray
    score: float
    extra: FloatArray


class SeenPicture(NamedTuple):
    """A picture and its faces.

    Attributes
    ----------
    time : Seconds
        When it is first shown.
    image : ndarray of uint8, shape (height, width, 3)
        RGB, upright.
    shot : int
        Number of its shot, from 0.
    faces : tuple of SeenFace
        In the order of their ids.
    """

    time: Seconds
    image: ImageArray
    shot: int
    faces: tuple[SeenFace, ...]


@dataclass(frozen=True, kw_only=True)
class FaceTable:
    """The faces of a whole clip, one entry for every face in every picture, in picture order.

    Parameters
    ----------
    starts : ndarray of float64, shape (T,)
        When each picture is first shown, s, with or without a face.
    picture, shot, face_id : ndarray of int64, shape (N,)
        Number of the picture, of its shot, and of the face.
    score : ndarray of float32, shape (N,)
        Probability that it is a face.
    off_center : ndarray of float32, shape (N,)
        Distance of the face's middle from the picture's, in picture widths.
    measures : FaceMeasures
        What the landmarks show, N rows; NaN where they are no face.
    extra : ndarray of float32, shape (N, E)
        Appearance or blendshapes.
    """

    starts: TimeArray
    picture: IntArray
    shot: IntArray
    face_id: IntArray
    score: FloatArray
    off_center: FloatArray
    measures: FaceMeasures
    extra: FloatArray

    @property
    def seen(self) -> BoolArray:
        """Which faces are measured: whole ones, as far as one in ten points may be cut off."""
        return np.isfinite(self.measures.pose[:, 0]) & (self.measures.inside >= MIN_INSIDE)


def measure_faces(*, pictures: Iterable[SeenPicture], extras: int) -> FaceTable:
    """Measure faces as pictures pass by; landmarks and images are dropped on the way.

    Parameters
    ----------
    pictures : iterable of SeenPicture
        In time order.
    extras : int
        Length of every face's ``extra``.

    Returns
    -------
    FaceTable
        About 80 numbers a face.
    """
    starts: list[Seconds] = []
    waiting: list[tuple[tuple[int, int], SeenFace]] = []
    size = (1, 1)
    done = [_measured([], size=size, extras=extras)]
    for picture in pictures:
        height, width = picture.image.shape[:2]
        if size != (width, height) or len(waiting) >= BLOCK:
            done.append(_measured(waiting, size=size, extras=extras))
            waiting, size = [], (width, height)
        waiting += [((len(starts), picture.shot), face) for face in picture.faces]
        starts.append(picture.time)
    done.append(_measured(waiting, size=size, extras=extras))
    keys = np.concatenate([block.keys for block in done])
    return FaceTable(
        starts=np.array(starts, np.float64),
        picture=keys[:, 0],
        shot=keys[:, 1],
        face_id=keys[:, 2],
        score=np.concatenate([block.score for block in done]),
        off_center=np.concatenate([block.off_center for block in done]),
        measures=FaceMeasures(
            *(np.concatenate(p) for p in zip(*(b.measures for b in done), strict=True))
        ),
        extra=np.concatenate([block.extra for block in done]),
    )


class _Block(NamedTuple):
    keys: IntArray
    score: FloatArray
    off_center: FloatArray
    measures: FaceMeasures
    extra: FloatArray


def _measured(
    faces: list[tuple[tuple[int, int], SeenFace]], *, size: tuple[int, int], extras: int
) -> _Block:
    """Measure faces in pictures of one size (width, height)."""
    width, height = size
    landmarks = np.zeros((len(faces), 478, 3), np.float32)
    keys = np.zeros((len(faces), 3), np.int64)
    score = np.zeros(len(faces), np.float32)
    extra = np.zeros((len(faces), extras), np.float32)
    for row, (key, face) in enumerate(faces):
        landmarks[row], keys[row] = face.landmarks, (*key, face.face_id)
        score[row], extra[row] = face.score, face.extra
    measures = face_measures(landmarks=landmarks, width=width, height=height)
    shift = measures.center - np.array([width / 2, height / 2], np.float32)
    off_center = (np.linalg.norm(shift, axis=1) / width).astype(np.float32)
    return _Block(keys, score, off_center, measures, extra)


def speaker_rows(table: FaceTable) -> FaceRows:
    """Take from a table what tells the speaker.

    Parameters
    ----------
    table : FaceTable
        All faces.

    Returns
    -------
    FaceRows
        One entry per face, in the same order; the mouth unknown in profile.
    """
    measures = table.measures
    with np.errstate(invalid="ignore"):
        frontal = np.abs(np.degrees(measures.pose[:, 4])) <= SPEAKING_YAW
    return FaceRows(
        picture=table.picture,
        time=table.starts[table.picture],
        shot=table.shot,
        face_id=table.face_id,
        mouth_opening=np.where(frontal, measures.mouth_opening, np.nan),
        size=np.maximum(measures.eye_span, 1.0),
        off_center=table.off_center,
    )


class PersonRows(NamedTuple):
    """One person's rows.

    Attributes
    ----------
    values : ndarray of float32, shape (M, 82)
        Columns as in ``ROW_NAMES``, finite.
    valid : ndarray of bool, shape (M,)
        Whether all columns are measured.
    """

    values: FloatArray
    valid: BoolArray


def person_rows(
    *, table: FaceTable, rows: npt.NDArray[np.intp], max_yaw: float, max_pitch: float
) -> PersonRows:
    """Read the rows of one person, who gives the neutral face.

    Parameters
    ----------
    table : FaceTable
        All faces.
    rows : ndarray of int, shape (M,)
        The person's entries, at most one a picture, in picture order.
    max_yaw, max_pitch : float
        Degrees beyond which a turned head hides too much to measure action units. Such a row keeps
        all but its action units, which are 0, and is not valid.

    Returns
    -------
    PersonRows
        All 0 and not valid where no whole face was seen.
    """
    seen = table.seen[rows]
    pose = table.measures.pose[rows]
    turned = np.abs(np.degrees(pose[:, 3:5]))
    with np.errstate(invalid="ignore"):
        valid = seen & (turned[:, 0] <= max_pitch) & (turned[:, 1] <= max_yaw)
    runs = _runs(table, rows)
    units = _action_units(table, rows, reliable=valid, runs=runs)
    closed = units.intensities[:, INTENSITY_NAMES.index("AU45_r")] > CLOSED_EYES
    # A run ends, too, where nothing was measured that could be held.
    unbroken = np.cumsum(np.diff(runs, prepend=runs[:1]) + ~seen)
    looks = table.measures.gaze[rows].astype(np.float64)
    looks[seen] = hold_while_closed(gaze=looks[seen], closed=closed[seen], runs=unbroken[seen])
    values = np.column_stack(
        [
            *(_confidence(table)[rows], seen, looks, pose),
            *(table.measures.rigid[rows], table.measures.shape[rows]),
            *(units.intensities, units.presence),
        ]
    )
    return PersonRows(np.where(seen[:, None], values, 0.0).astype(np.float32), valid)


def _runs(table: FaceTable, rows: npt.NDArray[np.intp]) -> IntArray:
    """Count the stretches of pictures in which one face was followed without a gap."""
    picture, face_id, shot = table.picture[rows], table.face_id[rows], table.shot[rows]
    breaks = (np.diff(picture) != 1) | (np.diff(face_id) != 0) | (np.diff(shot) != 0)
    return np.cumsum(np.concatenate([np.zeros(min(1, len(rows)), np.int64), breaks]))


def _action_units(
    table: FaceTable, rows: npt.NDArray[np.intp], *, reliable: BoolArray, runs: IntArray
) -> ActionUnits:
    """Read action units by geometry and appearance, or by blendshapes if there are any."""
    geometry, extra = table.measures.action_units[rows], table.extra[rows]
    step = float(np.median(np.diff(table.starts))) if len(table.starts) > 1 else 1.0
    frame_rate = 1.0 / max(step, 1e-3)
    if extra.shape[1] != len(BLENDSHAPES):
        measures = np.column_stack([geometry, extra])
        return action_units(measures=measures, reliable=reliable, runs=runs, frame_rate=frame_rate)
    wrinkled = geometry[:, GEOMETRY_NAMES.index("AU09")]
    return action_units(
        measures=np.column_stack([blendshape_measures(scores=extra), wrinkled]),
        reliable=reliable,
        runs=runs,
        frame_rate=frame_rate,
        names=(*BLENDSHAPE_MEASURE_NAMES, "AU09"),
        units=BLENDSHAPE_UNITS,
    )


def _confidence(table: FaceTable) -> Float64Array:
    """Score of the face, less for few pixels and for a turned head."""
    pitch, yaw = table.measures.pose[:, 3:5].astype(np.float64).T
    facing = np.maximum(np.cos(pitch), 0.0) * np.maximum(np.cos(yaw), 0.0)
    sharp = np.minimum(table.measures.eye_span / SHARP_EYE_SPAN, 1.0)
    confidence: Float64Array = np.clip(table.score, 0.0, 1.0) * sharp * facing
    return confidence
