"""mediapipe's face mesh: pictures in, 478 landmarks out."""

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

import numpy as np

from extractors.media import ImageArray
from extractors.sequence import FloatArray

LANDMARKS = 478
# File descriptor 2 belongs to the whole process: two clips must not redirect it at once.
_STDERR_LOCK = threading.Lock()


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
        with _native_messages_dropped():
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
        with warnings.catch_warnings():
            # mediapipe 0.10.14 calls what protobuf 4 deprecates, once for every result.
            warnings.filterwarnings("ignore", r"SymbolDatabase\.GetPrototype", UserWarning)
            faces = self._graph.process(image).multi_face_landmarks
        if not faces:
            return None
        points = np.array([(p.x, p.y, p.z) for p in faces[0].landmark], np.float32)
        return points if np.isfinite(points).all() else None


@contextmanager
def _native_messages_dropped() -> Iterator[None]:
    """Send what native code writes to stderr nowhere.

    mediapipe announces its delegates there before its log can be configured, and no setting or
    environment variable stops it. Python's own errors are raised, not written, so none is lost.
    """
    with _STDERR_LOCK, ExitStack() as resources:
        kept = os.dup(2)
        resources.callback(os.close, kept)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        resources.callback(os.close, nowhere)
        os.dup2(nowhere, 2)
        resources.callback(os.dup2, kept, 2)
        yield
