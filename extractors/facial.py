"""OpenFace-like features of the face in a video."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from extractors.base import Extractor, register
from extractors.face_features import FACE_FEATURE_NAMES, face_features
from extractors.face_mesh import LANDMARKS, FaceMesh
from extractors.media import Media
from extractors.sequence import FeatureSequence, FloatArray, Seconds, TimeArray


@dataclass(frozen=True, kw_only=True)
class FacialConfig:
    """Settings of :class:`FacialExtractor`.

    Parameters
    ----------
    detection_confidence : float
        Smallest score with which a face is found, in [0, 1].
    tracking_confidence : float
        Smallest score with which a found face is followed to the next picture, in [0, 1].
    max_yaw, max_pitch : float
        Degrees, in (0, 90], beyond which a frame is not valid.

    Raises
    ------
    ValueError
        If a setting is out of range.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    detection_confidence: float = 0.5
    tracking_confidence: float = 0.5
    max_yaw: float = 35.0
    max_pitch: float = 30.0

    def __post_init__(self) -> None:
        for name in ("detection_confidence", "tracking_confidence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        for name in ("max_yaw", "max_pitch"):
            if not 0.0 < getattr(self, name) <= 90.0:
                raise ValueError(f"{name} must be in (0, 90] degrees, got {getattr(self, name)}")


@register
class FacialExtractor(Extractor):
    """Gaze, head pose and six action units of the one face in a clip, a row per frame.

    Names, order, units and signs are those of OpenFace 2 (Baltrusaitis et al. 2018): gaze vectors
    and angles (radians), head position (mm) and rotation (radians), action unit intensities
    (0 to 5).

    A row without a face is all 0 and not valid. A row whose head is turned beyond ``max_yaw`` or
    ``max_pitch`` keeps gaze and pose, has action units 0 and is not valid.

    What OpenFace writes and this leaves out: ``confidence`` (the face mesh gives no score of a
    landmark; ``valid`` says where a face was measured), ``frame``, ``face_id``, ``timestamp`` and
    ``success`` (they are the sequence's rows, times and ``valid``), the presence columns ``AU*_c``
    (a threshold of the intensities), the other action units (landmarks show them badly or not at
    all) and the ``p_*`` shape parameters (coordinates of OpenFace's own licensed shape model).

    Parameters
    ----------
    config : FacialConfig, optional
        Settings; the defaults without it.
    """

    name = "openface"
    version = 1
    modality = "vision"
    source = "video"
    libraries = ("av", "mediapipe", "numpy")
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
            One row per picture, lasting until the next one.

        Raises
        ------
        MissingStreamError
            If the clip has no pictures.
        MediaError
            If none can be decoded.
        """
        config: FacialConfig = self.config
        starts: list[Seconds] = []
        found: list[FloatArray] = []
        nothing = np.full((LANDMARKS, 3), np.nan, np.float32)
        height, width = 0, 0
        with FaceMesh(
            detection_confidence=config.detection_confidence,
            tracking_confidence=config.tracking_confidence,
        ) as face_mesh:
            for time, image in media.frames():
                if not starts:
                    height, width = image.shape[:2]
                points = face_mesh.find(image)
                starts.append(time)
                found.append(nothing if points is None else points)
        features = face_features(
            landmarks=np.stack(found) * np.array([width, height, width], np.float32),
            width=width,
            height=height,
            max_yaw=config.max_yaw,
            max_pitch=config.max_pitch,
        )
        return FeatureSequence(
            values=features.values,
            times=frame_spans(starts=np.array(starts), duration=media.info.duration),
            names=FACE_FEATURE_NAMES,
            valid=features.valid,
        )


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
