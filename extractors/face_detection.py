"""mediapipe's full-range face detector, pointed at windows of a picture.

The detector sees 192 x 192 pixels. A face that is lost when a whole stage is shrunk to that size
is found in a window of the stage.
"""

import math
from typing import Any, NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

from extractors.face_landmarks import REGION_PER_FACE, FaceRegion
from extractors.media import ImageArray
from extractors.mediapipe_graph import (
    MediapipeGraph,
    deprecations_ignored,
    native_messages_dropped,
)

GRAPH = """
input_stream: "image"
output_stream: "detections"
node {
  calculator: "FaceDetectionFullRangeCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
}
"""
INPUT_SIZE = 192
# Next to each other windows share this part, so that a face on a border is whole in one of them.
WINDOW_OVERLAP = 0.5


class Window(NamedTuple):
    """A square of a picture; it may reach beyond it.

    Attributes
    ----------
    x, y : int
        Upper left corner, pixels.
    size : int
        Side, pixels, > 0.
    """

    x: int
    y: int
    size: int


class FaceDetection(NamedTuple):
    """A face that was found.

    Attributes
    ----------
    score : float
        The detector's probability, in [0, 1].
    x, y, size : float
        Centre and longer side of the face's box, pixels of the whole picture.
    keypoints : ndarray of float64, shape (6, 2)
        Eye on the image's left, other eye, nose tip, mouth, ear on the image's left, other ear.
    """

    score: float
    x: float
    y: float
    size: float
    keypoints: npt.NDArray[np.float64]

    @property
    def region(self) -> FaceRegion:
        """Where to look for the landmarks: the box enlarged and turned with the eyes."""
        across, down = self.keypoints[1] - self.keypoints[0]
        angle = float(np.arctan2(down, across))
        return FaceRegion(self.x, self.y, REGION_PER_FACE * self.size, angle)


class FaceDetector:
    """Finds faces; a context manager.

    It keeps nothing of a picture: the same window gives the same faces, whatever came before.

    Parameters
    ----------
    least_score : float
        Faces whose score is smaller are left out, in [0, 1].
    """

    def __init__(self, *, least_score: float) -> None:
        self._graph = MediapipeGraph(
            config=GRAPH,
            streams=("detections",),
            adjust=lambda node: _let_pass(node, least_score),
        )

    def __enter__(self) -> Self:
        self._graph.__enter__()
        with native_messages_dropped():
            # The model says what it runs on at its first picture.
            self.detect(image=np.zeros((16, 16, 3), np.uint8), window=Window(0, 0, 16))
        return self

    def __exit__(self, *exception: object) -> None:
        self._graph.__exit__(*exception)

    def detect(self, *, image: ImageArray, window: Window) -> list[FaceDetection]:
        """Find the faces in a window of a picture.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            RGB, upright.
        window : Window
            Where to look.

        Returns
        -------
        list of FaceDetection
            The one with the highest score first.
        """
        from mediapipe.python import packet_creator, packet_getter
        from mediapipe.python._framework_bindings import image_frame

        found = self._graph.run(
            image=packet_creator.create_image_frame(
                data=shrunk_window(image=image, window=window, size=INPUT_SIZE),
                image_format=image_frame.ImageFormat.SRGB,
            )
        )
        if "detections" not in found:
            return []
        with deprecations_ignored():
            messages = packet_getter.get_proto_list(found["detections"])
        faces = [_placed(message, window) for message in messages]
        return sorted(faces, key=lambda face: -face.score)


def search_windows(*, width: int, height: int) -> tuple[Window, ...]:
    """Windows in which to look for faces of every size.

    Parameters
    ----------
    width, height : int
        Size of the picture, pixels.

    Returns
    -------
    tuple of Window
        The whole picture first, then windows as large as its shorter side along the longer one,
        overlapping by a half or more. A square picture has the first alone.
    """
    longer, shorter = max(width, height), min(width, height)
    whole = Window((width - longer) // 2, (height - longer) // 2, longer)
    if longer == shorter:
        return (whole,)
    count = 1 + math.ceil((longer - shorter) / (shorter * (1 - WINDOW_OVERLAP)))
    along = [round(i * (longer - shorter) / (count - 1)) for i in range(count)]
    if width > height:
        return (whole, *(Window(at, 0, shorter) for at in along))
    return (whole, *(Window(0, at, shorter) for at in along))


def shrunk_window(*, image: ImageArray, window: Window, size: int) -> ImageArray:
    """Cut a window out of a picture and scale it, black where it reaches beyond.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width, 3)
        The picture.
    window : Window
        What to cut out.
    size : int
        Side of the result, pixels.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
        Averaged over areas where it shrinks, interpolated where it grows.
    """
    height, width = image.shape[:2]
    left, right = np.clip([window.x, window.x + window.size], 0, width)
    top, bottom = np.clip([window.y, window.y + window.size], 0, height)
    canvas = np.zeros((size, size, 3), np.uint8)
    if left == right or top == bottom:
        return canvas
    scale = size / window.size
    x0, x1 = round((left - window.x) * scale), round((right - window.x) * scale)
    y0, y1 = round((top - window.y) * scale), round((bottom - window.y) * scale)
    if x0 == x1 or y0 == y1:
        return canvas
    way = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    part = image[top:bottom, left:right]
    canvas[y0:y1, x0:x1] = cv2.resize(part, (x1 - x0, y1 - y0), interpolation=way)
    return canvas


def _placed(message: Any, window: Window) -> FaceDetection:
    """Read a detection, and turn fractions of the window into pixels of the picture."""
    box = message.location_data.relative_bounding_box
    keypoints = np.array([(p.x, p.y) for p in message.location_data.relative_keypoints])
    return FaceDetection(
        score=float(message.score[0]),
        x=window.x + window.size * (box.xmin + box.width / 2),
        y=window.y + window.size * (box.ymin + box.height / 2),
        size=window.size * max(box.width, box.height),
        keypoints=keypoints * window.size + (window.x, window.y),
    )


def _let_pass(node: Any, least_score: float) -> None:
    """Set the score below which the graph puts no detection out."""
    from mediapipe.calculators.tensor import tensors_to_detections_calculator_pb2

    if node.calculator == "TensorsToDetectionsCalculator":
        options = tensors_to_detections_calculator_pb2.TensorsToDetectionsCalculatorOptions()
        node.node_options[0].Unpack(options)
        options.min_score_thresh = least_score
        node.node_options[0].Pack(options)
