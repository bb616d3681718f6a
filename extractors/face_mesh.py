"""mediapipe's face mesh: pictures in, 478 landmarks out."""

from contextlib import ExitStack
from typing import Any, Self

import numpy as np

from extractors.face_landmarks import LANDMARKS
from extractors.media import ImageArray
from extractors.mediapipe_graph import deprecations_ignored, native_messages_dropped
from extractors.sequence import FloatArray

__all__ = ["LANDMARKS", "FaceMesh"]


class FaceMesh:
    """Finds and follows one face through the pictures of one clip; a context manager.

    The tracker remembers where the face was, so every clip needs an instance of its own.

    Parameters
    ----------
    detection_confidence : float, optional
        Smallest score with which a face is found, in [0, 1].
    tracking_confidence : float, optional
        Smallest score with which a found face is followed to the next picture, in [0, 1].
    """

    def __init__(
        self, *, detection_confidence: float = 0.5, tracking_confidence: float = 0.5
    ) -> None:
        self._settings = {
            "min_detection_confidence": detection_confidence,
            "min_tracking_confidence": tracking_confidence,
        }
        self._resources = ExitStack()
        self._graph: Any = None

    def __enter__(self) -> Self:
        with native_messages_dropped():
            from mediapipe.python.solutions import face_mesh

            graph = face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True, **self._settings)
            self._graph = self._resources.enter_context(graph)
            # The models are loaded at the first picture; the tracker keeps nothing of a black one.
            self._graph.process(np.zeros((128, 128, 3), np.uint8))
        return self

    def __exit__(self, *exception: object) -> None:
        self._resources.close()

    def find(self, image: ImageArray) -> FloatArray | None:
        """Find the face in the clip's next picture.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            RGB, upright.

        Returns
        -------
        ndarray of float32, shape (478, 3), or None
            x as a fraction of the width, y of the height, z of the width (smaller is nearer);
            468 points of the face, 5 of the iris on the image's left, 5 of the other. None
            without a face.
        """
        with deprecations_ignored():
            faces = self._graph.process(image).multi_face_landmarks
        if not faces:
            return None
        points = np.array([(p.x, p.y, p.z) for p in faces[0].landmark], np.float32)
        return points if np.isfinite(points).all() else None
