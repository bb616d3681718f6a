"""OpenFace-like features of the faces in a video."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, get_args

import numpy as np

from extractors.base import Extractor, register
from extractors.blendshapes import BLENDSHAPES
from extractors.face_appearance import APPEARANCE_NAMES, appearance_measures
from extractors.face_columns import ColumnSet, select_columns
from extractors.face_landmarker import FaceLandmarker, model_digest
from extractors.face_rows import (
    ROW_NAMES,
    FaceTable,
    SeenFace,
    SeenPicture,
    measure_faces,
    person_rows,
    speaker_rows,
)
from extractors.face_tracks import FollowedFace, follow_faces
from extractors.media import ImageArray, Media
from extractors.rotation import Float64Array
from extractors.sequence import BoolArray, FeatureSequence, FloatArray, Seconds, TimeArray
from extractors.shots import shots
from extractors.sound_envelope import sound_envelope
from extractors.speaker import FaceChoice, choose_speakers

SOUND_RATE = 16000
# As much more pictures than asked for are still measured: 30 are what 29.97 were named for.
RATE_TOLERANCE = 0.1


@dataclass(frozen=True, kw_only=True)
class FacialConfig:
    """Settings of :class:`FacialExtractor`.

    Parameters
    ----------
    columns : {"openface", "facet35", "urfunny371-like"}
        Which columns; see :func:`extractors.face_columns.select_columns`.
    faces : {"speaker", "largest", "all"}
        Whose face: the speaker's (by sound, size and place; without sound by the latter two), the
        largest of each shot, or every one, with a row for every face in every picture.
    face_landmarker : str or None
        Path of mediapipe's ``face_landmarker.task``, whose blendshapes then give the action
        units; it follows one face. None: the face mesh inside mediapipe.
    stride : int
        Every how many pictures are measured, > 0.
    fps : float or None
        Pictures a second, > 0, above which fewer are measured: every second one, every third and
        so on of a clip that has more, so 30 of 60, 12.5 of 25 for 15. The larger step of this and
        ``stride`` counts. None: no limit.
    most_faces : int
        Largest number of faces that are followed at once, > 0.
    detection_confidence : float
        Smallest score with which a face is found, in [0, 1].
    tracking_confidence : float
        Smallest score with which a found face is followed to the next picture, in [0, 1].
    max_yaw, max_pitch : float
        Degrees, in (0, 90], beyond which a row is not valid.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    columns: ColumnSet = "openface"
    faces: FaceChoice = "speaker"
    face_landmarker: str | None = None
    stride: int = 1
    fps: float | None = None
    most_faces: int = 4
    detection_confidence: float = 0.6
    tracking_confidence: float = 0.5
    max_yaw: float = 35.0
    max_pitch: float = 30.0

    def __post_init__(self) -> None:
        for name, choices in (("columns", get_args(ColumnSet)), ("faces", get_args(FaceChoice))):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} must be in {', '.join(choices)}, got {getattr(self, name)!r}"
                )
        for name in ("stride", "most_faces"):
            number = getattr(self, name)
            if number < 1 or number != int(number):
                raise ValueError(f"{name} must be in 1, 2, 3 ..., got {number}")
        if self.fps is not None and not 0.0 < self.fps < math.inf:
            raise ValueError(f"fps must be in (0, infinity) pictures a second, got {self.fps}")
        for name in ("detection_confidence", "tracking_confidence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        for name in ("max_yaw", "max_pitch"):
            if not 0.0 < getattr(self, name) <= 90.0:
                raise ValueError(f"{name} must be in (0, 90] degrees, got {getattr(self, name)}")


@register
class FacialExtractor(Extractor):
    """Gaze, head pose, action units and shape of the speaker's face, a row per picture.

    Names, order, units and signs are those of OpenFace 2 (Baltrusaitis et al. 2018): gaze vectors
    and angles (radians), head position (mm) and rotation (radians), action unit intensities
    (0 to 5) and presences (0 or 1). ``shape_0`` to ``shape_33`` are coefficients of modes of our
    own, in cm (:func:`extractors.face_shape.shape_coefficients`).

    A row without a face, with one that the picture's edge cuts off, or in a shot in which nobody
    speaks, is all 0 and not valid. A row whose head is turned beyond ``max_yaw`` or ``max_pitch``
    keeps all but its action units, which are 0, and is not valid. With ``faces="all"`` there is a
    row for every face in every picture, none in pictures without one, and a first column
    ``face_id``, the same as long as a face is followed.

    ``confidence`` is the landmark model's probability that this is a face, times the cosines of
    yaw and pitch, times the eyes' size as far as an iris is under 4 pixels wide. It is not
    OpenFace's, and no proof: the probability reaches 1 on what only looks like a face. With the
    face landmarker, which tells no probability, 1 stands in its place.

    What OpenFace writes and this leaves out: ``frame``, ``timestamp`` and ``success`` (the
    sequence's rows, times and ``valid``), ``face_id`` but for ``faces="all"``; ``AU20_r``,
    ``AU23_r``, ``AU20_c``, ``AU23_c`` and ``AU28_c`` (neither landmarks nor appearance showed
    them); the eye landmarks ``eye_lmk_*`` (280), the face landmarks ``x_*``, ``y_*``, ``X_*``,
    ``Y_*`` and ``Z_*`` (340) and the rigid parameters ``p_scale`` to ``p_ty``; ``p_0`` to ``p_33``
    (coordinates in OpenFace's own licensed shape model; ``shape_*`` are in their place). Weak
    against OpenFace, though there: AU05, AU09, AU15 and AU17.

    Parameters
    ----------
    config : FacialConfig, optional
        Settings; the defaults without it.
    """

    name = "openface"
    version = 2
    modality = "vision"
    source = "video"
    libraries = ("av", "mediapipe", "numpy", "opencv-contrib-python", "scipy", "soxr")
    Config = FacialConfig

    def extract(self, media: Media) -> FeatureSequence:
        """Extract the whole clip.

        Parameters
        ----------
        media : Media
            A clip with moving pictures.

        Returns
        -------
        FeatureSequence
            One row per picture, lasting until the next one; with ``faces="all"`` one per face.

        Raises
        ------
        MissingStreamError
            If the clip has no pictures.
        MissingModelError
            If the face landmarker is asked for and not there.
        MediaError
            If no picture can be decoded.
        """
        config: FacialConfig = self.config
        found = clip_faces(media=media, config=config)
        starts = found.table.starts
        times = frame_spans(starts=starts, duration=media.info.duration)
        if config.faces == "all":
            return _every_face(found=found, times=times, columns=config.columns)
        rows = np.flatnonzero(found.chosen)
        picture = found.table.picture[rows]
        values = np.zeros((len(starts), len(ROW_NAMES)), np.float32)
        valid = np.zeros(len(starts), np.bool_)
        values[picture], valid[picture] = found.values[rows], found.valid[rows]
        columns = select_columns(
            values=values, names=ROW_NAMES, times=times, valid=valid, columns=config.columns
        )
        return FeatureSequence(values=columns.values, times=times, names=columns.names, valid=valid)

    def weights_digest(self) -> str:
        """Digest of the face landmarker's file.

        Returns
        -------
        str
            Hexadecimal SHA-256; empty without a face landmarker.

        Raises
        ------
        MissingModelError
            If it is not there.
        """
        path = self.config.face_landmarker
        return "" if path is None else model_digest(Path(path))


class ClipFaces(NamedTuple):
    """All faces of a clip, and the rows of those that were chosen.

    Attributes
    ----------
    table : FaceTable
        What was measured, N faces.
    chosen : ndarray of bool, shape (N,)
        Whether this is the face that was asked for.
    values : ndarray of float32, shape (N, 82)
        Columns as in :data:`extractors.face_rows.ROW_NAMES`; 0 where not chosen.
    valid : ndarray of bool, shape (N,)
        Whether all columns are measured.
    """

    table: FaceTable
    chosen: BoolArray
    values: FloatArray
    valid: BoolArray


def clip_faces(
    *, media: Media, config: FacialConfig, on_picture: Callable[[], None] = lambda: None
) -> ClipFaces:
    """Measure all faces of a clip and choose among them.

    Parameters
    ----------
    media : Media
        A clip with moving pictures.
    config : FacialConfig
        Settings.
    on_picture : callable
        Called after each picture that is measured.

    Returns
    -------
    ClipFaces
        In picture order.

    Raises
    ------
    ExtractorError
        As :meth:`FacialExtractor.extract`.
    """
    extras = len(APPEARANCE_NAMES) if config.face_landmarker is None else len(BLENDSHAPES)
    pictures = seen_pictures(media=media, config=config)
    table = measure_faces(pictures=_watched(pictures, on_picture), extras=extras)
    envelope = _envelope(media) if config.faces == "speaker" else None
    chosen = choose_speakers(
        faces=speaker_rows(table), envelope=envelope, choice=config.faces
    ).chosen
    values = np.zeros((len(chosen), len(ROW_NAMES)), np.float32)
    valid = np.zeros(len(chosen), np.bool_)
    # Whoever was chosen is taken for one person, with one neutral face.
    everyone = config.faces == "all"
    person = table.face_id if everyone else np.zeros(len(chosen), np.int64)
    for number in np.unique(person):
        rows = np.flatnonzero(chosen & (person == number))
        values[rows], valid[rows] = person_rows(
            table=table, rows=rows, max_yaw=config.max_yaw, max_pitch=config.max_pitch
        )
    return ClipFaces(table, chosen, values, valid)


def _watched(
    pictures: Iterator[SeenPicture], on_picture: Callable[[], None]
) -> Iterator[SeenPicture]:
    for picture in pictures:
        yield picture
        on_picture()


def seen_pictures(*, media: Media, config: FacialConfig) -> Iterator[SeenPicture]:
    """Find and follow the faces of a clip, picture by picture.

    Parameters
    ----------
    media : Media
        A clip with moving pictures.
    config : FacialConfig
        Settings.

    Yields
    ------
    SeenPicture
        One for every ``stride``-th picture, or fewer because of ``fps``.

    Raises
    ------
    ExtractorError
        As :meth:`FacialExtractor.extract`.
    """
    if config.face_landmarker is not None:
        yield from _by_landmarker(media=media, config=config, model=Path(config.face_landmarker))
        return
    for picture in follow_faces(
        frames=media.frames(),
        most_faces=config.most_faces,
        stride=_stride(media=media, config=config),
        detection_confidence=config.detection_confidence,
        tracking_confidence=config.tracking_confidence,
    ):
        faces = tuple(_with_appearance(face, image=picture.image) for face in picture.faces)
        yield SeenPicture(picture.time, picture.image, picture.shot, faces)


def _stride(*, media: Media, config: FacialConfig) -> int:
    """Tell every how many pictures are measured, so that they are no more than asked for."""
    rate = media.info.fps
    if config.fps is None or rate is None:
        return config.stride
    return max(config.stride, math.ceil(rate / config.fps - RATE_TOLERANCE))


def _with_appearance(face: FollowedFace, *, image: ImageArray) -> SeenFace:
    return SeenFace(*face, appearance_measures(image=image, landmarks=face.landmarks))


def _by_landmarker(*, media: Media, config: FacialConfig, model: Path) -> Iterator[SeenPicture]:
    """Follow one face by the face landmarker; in another shot it is another face."""
    stride = _stride(media=media, config=config)
    with FaceLandmarker(
        model=model,
        detection_confidence=config.detection_confidence,
        tracking_confidence=config.tracking_confidence,
    ) as landmarker:
        for index, ((time, image), shot) in enumerate(shots(media.frames())):
            if index % stride:
                continue
            found = landmarker.find(image=image, time=time)
            height, width = image.shape[:2]
            faces: tuple[SeenFace, ...] = ()
            if found is not None:
                landmarks = found.landmarks * np.array([width, height, width], np.float32)
                faces = (SeenFace(shot, landmarks, 1.0, found.scores),)
            yield SeenPicture(time, image, shot, faces)


def _envelope(media: Media) -> Float64Array | None:
    if not media.info.has_audio:
        return None
    return sound_envelope(pieces=media.audio_pieces(SOUND_RATE), sample_rate=SOUND_RATE)


def _every_face(*, found: ClipFaces, times: TimeArray, columns: ColumnSet) -> FeatureSequence:
    """Make a row of every face, with its number."""
    table = found.table
    spans = times[table.picture]
    parts = []
    order = [np.zeros(0, np.intp)]
    for face_id in [-1, *np.unique(table.face_id)]:
        rows = np.flatnonzero(table.face_id == face_id)
        order.append(rows)
        parts.append(
            select_columns(
                values=found.values[rows],
                names=ROW_NAMES,
                times=spans[rows],
                valid=found.valid[rows],
                columns=columns,
            )
        )
    values = np.zeros((len(spans), 1 + len(parts[0].names)), np.float32)
    rows = np.concatenate(order)
    values[rows, 1:] = np.concatenate([part.values for part in parts])
    values[:, 0] = table.face_id
    names = ("face_id", *parts[0].names)
    return FeatureSequence(values=values, times=spans, names=names, valid=found.valid)


def frame_spans(*, starts: TimeArray, duration: Seconds) -> TimeArray:
    """Let every frame last until the next one.

    Parameters
    ----------
    starts : ndarray of float64, shape (T,)
        When the frames are first shown, increasing.
    duration : Seconds
        Length of the clip.

    Returns
    -------
    ndarray of float64, shape (T, 2)
        Spans; the last frame lasts as long as the median one, the only one until the clip's end,
        and none beyond the clip's end.
    """
    usual = float(np.median(np.diff(starts))) if len(starts) > 1 else duration
    ends = np.append(starts[1:], starts[-1:] + usual)
    ends = np.maximum(np.minimum(ends, duration), starts)
    return np.column_stack([starts, ends])
