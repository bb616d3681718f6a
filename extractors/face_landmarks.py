"""mediapipe's face mesh: a picture and where a face is in, 478 landmarks out."""

from typing import Any, NamedTuple, Self

import numpy as np

from extractors.media import ImageArray
from extractors.mediapipe_graph import (
    MediapipeGraph,
    deprecations_ignored,
    native_messages_dropped,
)
from extractors.sequence import FloatArray

LANDMARKS = 478
GRAPH = """
input_stream: "image"
input_stream: "region"
output_stream: "landmarks"
input_side_packet: "refine"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:region"
  output_stream: "LANDMARKS:landmarks"
  input_side_packet: "WITH_ATTENTION:refine"
}
"""
SCORE_STREAM = "facelandmarkcpu__face_presence_score"
# The model has learned faces in squares this many times their extent.
REGION_PER_FACE = 1.5
# Outer eye corners, on the image's left and right in an upright face.
EYE_CORNERS = (33, 263)
# A landmark of the list message: three floats, each behind its field's tag.
_WIRE_LANDMARK = np.dtype(
    [("head", "V3"), ("x", "<f4"), ("tag_y", "V1"), ("y", "<f4"), ("tag_z", "V1"), ("z", "<f4")]
)


class FaceRegion(NamedTuple):
    """A square of the picture that holds a face.

    Attributes
    ----------
    x, y : float
        Centre, pixels.
    size : float
        Side, pixels, > 0.
    angle : float
        Clockwise turn of the face in the image, radians.
    """

    x: float
    y: float
    size: float
    angle: float


class MeshedFace(NamedTuple):
    """Landmarks of one face.

    Attributes
    ----------
    landmarks : ndarray of float32, shape (478, 3)
        Pixels of the whole picture: x to the right, y down, z away from the camera, 0 at the
        face's middle. 468 points of the face, 5 of the iris on the image's left, 5 of the other.
    score : float
        The model's probability that the region shows a face, in [0, 1].
    """

    landmarks: FloatArray
    score: float


class LandmarkModel:
    """Lays the face mesh on a face whose place is known; a context manager.

    This is the landmark model alone, without the detector and the tracker that mediapipe's face
    mesh puts around it, so where to look is the caller's: from a detection, or from the
    landmarks of the picture before.

    Parameters
    ----------
    least_score : float, optional
        Faces whose score is smaller are none, in [0, 1].
    """

    def __init__(self, *, least_score: float = 0.5) -> None:
        self._graph = MediapipeGraph(
            config=GRAPH,
            streams=("landmarks", SCORE_STREAM),
            side_packets={"refine": True},
            adjust=lambda node: _let_pass(node, least_score),
        )

    def __enter__(self) -> Self:
        self._graph.__enter__()
        with native_messages_dropped():
            # The model says what it runs on at its first picture.
            blank = np.zeros((16, 16, 3), np.uint8)
            self.landmarks(image=blank, region=FaceRegion(8.0, 8.0, 16.0, 0.0))
        return self

    def __exit__(self, *exception: object) -> None:
        self._graph.__exit__(*exception)

    def landmarks(self, *, image: ImageArray, region: FaceRegion) -> MeshedFace | None:
        """Find the landmarks of the face in a region.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width, 3)
            RGB, upright.
        region : FaceRegion
            Where the face is; it may reach beyond the picture.

        Returns
        -------
        MeshedFace or None
            None if the region shows no face.
        """
        from mediapipe.framework.formats import rect_pb2
        from mediapipe.python import packet_creator, packet_getter
        from mediapipe.python._framework_bindings import image_frame

        height, width = image.shape[:2]
        rect = rect_pb2.NormalizedRect(
            x_center=region.x / width,
            y_center=region.y / height,
            width=region.size / width,
            height=region.size / height,
            rotation=region.angle,
        )
        found = self._graph.run(
            image=packet_creator.create_image_frame(
                data=np.ascontiguousarray(image), image_format=image_frame.ImageFormat.SRGB
            ),
            region=packet_creator.create_proto(rect),
        )
        if "landmarks" not in found:
            return None
        with deprecations_ignored():
            message = packet_getter.get_proto(found["landmarks"]).SerializeToString()
        points = np.frombuffer(message, _WIRE_LANDMARK)
        scale = np.array([width, height, width], np.float32)
        landmarks = np.stack([points["x"], points["y"], points["z"]], axis=1) * scale
        if not np.isfinite(landmarks).all():
            return None
        return MeshedFace(landmarks, float(packet_getter.get_float(found[SCORE_STREAM])))


def face_region(landmarks: FloatArray) -> FaceRegion:
    """Where to look for a face that was here in the picture before.

    Parameters
    ----------
    landmarks : ndarray of float32, shape (478, 3)
        Pixels.

    Returns
    -------
    FaceRegion
        The square around all landmarks, 1.5 times their extent, turned with the eyes.
    """
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    (x, y), size = (low + high) / 2, REGION_PER_FACE * (high - low).max()
    across, down = (landmarks[EYE_CORNERS[1]] - landmarks[EYE_CORNERS[0]])[:2]
    return FaceRegion(float(x), float(y), float(size), float(np.arctan2(down, across)))


def _let_pass(node: Any, least_score: float) -> None:
    """Set the score below which the graph puts no landmarks out."""
    from mediapipe.calculators.util import thresholding_calculator_pb2

    if node.calculator == "ThresholdingCalculator":
        options = thresholding_calculator_pb2.ThresholdingCalculatorOptions.ext
        node.options.Extensions[options].threshold = least_score
