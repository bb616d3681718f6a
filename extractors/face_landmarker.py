"""mediapipe's face landmarker, for those who have its model: landmarks and blendshape scores."""

import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from extractors.blendshapes import BLENDSHAPES
from extractors.errors import MissingModelError
from extractors.media import ImageArray
from extractors.mediapipe_graph import native_messages_dropped
from extractors.sequence import FloatArray, Seconds

MILLISECONDS = 1000
BLACK = (128, 128, 3)
REMEDY = (
    "get face_landmarker.task from mediapipe's model zoo and name its path, or leave it out: the "
    "face mesh needs no file"
)


class Landmarked(NamedTuple):
    """A face in a picture.

    Attributes
    ----------
    landmarks : ndarray of float32, shape (478, 3)
        As :meth:`extractors.face_mesh.FaceMesh.find` gives them.
    scores : ndarray of float32, shape (52,)
        In [0, 1], in the order of :data:`extractors.blendshapes.BLENDSHAPES`.
    """

    landmarks: FloatArray
    scores: FloatArray


class FaceLandmarker:
    """Finds and follows one face through the pictures of one clip; a context manager.

    The tracker remembers where the face was, so every clip needs an instance of its own.

    Parameters
    ----------
    model : Path
        ``face_landmarker.task`` of mediapipe's model zoo, with blendshapes.
    detection_confidence : float, optional
        Smallest score with which a face is found, in [0, 1].
    tracking_confidence : float, optional
        Smallest score with which a found face is followed to the next picture, in [0, 1].

    Raises
    ------
    MissingModelError
        On entering, if there is no such file (code ``missing_model``) or it is not that model
        (code ``unusable_model``).
    """

    def __init__(
        self,
        *,
        model: Path,
        detection_confidence: float = 0.5,
        tracking_confidence: float = 0.5,
    ) -> None:
        self._model = model
        self._settings = {
            "min_face_detection_confidence": detection_confidence,
            "min_tracking_confidence": tracking_confidence,
        }
        self._resources = ExitStack()
        self._task: Any = None
        self._last = -1

    def __enter__(self) -> Self:
        _require(self._model)
        with native_messages_dropped():
            self._task = self._resources.enter_context(self._load())
            # The models are loaded at the first picture; the tracker keeps nothing of a black one.
            self._detect(np.zeros(BLACK, np.uint8), 0)
        return self

    def __exit__(self, *exception: object) -> None:
        self._resources.close()

    def find(self, *, image: ImageArray, time: Seconds) -> Landmarked | None:
        """Find the face in the clip's next picture.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            RGB, upright.
        time : Seconds
            When it is shown, not before the picture before it.

        Returns
        -------
        Landmarked or None
            None without a face.
        """
        # The landmarker refuses a time that does not grow; pictures may lie closer than 1 ms.
        found = self._detect(image, max(round(time * MILLISECONDS), self._last + 1))
        return landmarked(result=found)

    def _load(self) -> Any:
        from mediapipe.tasks.python import vision
        from mediapipe.tasks.python.core.base_options import BaseOptions

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(self._model)),
            running_mode=vision.RunningMode.VIDEO,
            output_face_blendshapes=True,
            **self._settings,
        )
        try:
            return vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise MissingModelError(
                f"{self._model} is not mediapipe's face_landmarker.task with blendshapes "
                f"({str(error).rstrip('.')}); {REMEDY}",
                code="unusable_model",
            ) from error

    def _detect(self, image: ImageArray, milliseconds: int) -> Any:
        from mediapipe import Image, ImageFormat

        self._last = milliseconds
        picture = Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(image))
        return self._task.detect_for_video(picture, milliseconds)


def model_digest(model: Path) -> str:
    """Digest of a model's file.

    Parameters
    ----------
    model : Path
        The file.

    Returns
    -------
    str
        Hexadecimal SHA-256 of its contents.

    Raises
    ------
    MissingModelError
        If there is no such file.
    """
    _require(model)
    with model.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _require(model: Path) -> None:
    if not model.is_file():
        raise MissingModelError(f"there is no face landmarker model at {model}; {REMEDY}")


def landmarked(*, result: Any) -> Landmarked | None:
    """Read what the landmarker found.

    Parameters
    ----------
    result : mediapipe.tasks.python.vision.FaceLandmarkerResult
        Of one picture, with blendshapes.

    Returns
    -------
    Landmarked or None
        Its first face; None without one.
    """
    if not result.face_landmarks:
        return None
    points = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]], np.float32)
    scores = {shape.category_name: shape.score for shape in result.face_blendshapes[0]}
    return Landmarked(points, np.array([scores[name] for name in BLENDSHAPES], np.float32))
