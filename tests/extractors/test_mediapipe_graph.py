import os

import numpy as np
import pytest
from mediapipe.framework.formats import rect_pb2
from mediapipe.python import packet_creator, packet_getter
from mediapipe.python._framework_bindings import image_frame

from extractors.face_landmarks import GRAPH, SCORE_STREAM
from extractors.mediapipe_graph import MediapipeGraph, native_messages_dropped


def score_of_a_blank(graph):
    picture = packet_creator.create_image_frame(
        data=np.zeros((32, 32, 3), np.uint8), image_format=image_frame.ImageFormat.SRGB
    )
    whole = rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0)
    return graph.run(image=picture, region=packet_creator.create_proto(whole))


def test_streams_inside_a_subgraph_can_be_read_and_an_empty_one_is_missing(capfd):
    with MediapipeGraph(
        config=GRAPH, streams=("landmarks", SCORE_STREAM), side_packets={"refine": True}
    ) as graph:
        found = score_of_a_blank(graph)
        assert set(found) == {SCORE_STREAM}
        assert packet_getter.get_float(found[SCORE_STREAM]) < 0.5
    capfd.readouterr()


def test_options_inside_a_subgraph_can_be_changed(capfd):
    seen = []

    def adjust(node):
        from mediapipe.calculators.util import thresholding_calculator_pb2

        seen.append(node.calculator)
        if node.calculator == "ThresholdingCalculator":
            options = thresholding_calculator_pb2.ThresholdingCalculatorOptions.ext
            node.options.Extensions[options].threshold = -1.0

    with MediapipeGraph(
        config=GRAPH, streams=("landmarks",), side_packets={"refine": True}, adjust=adjust
    ) as graph:
        assert "landmarks" in score_of_a_blank(graph)
    assert "InferenceCalculatorCpu" in seen
    capfd.readouterr()


def test_native_messages_are_dropped_and_stderr_works_afterwards(capfd):
    def fail():
        os.write(2, b"dropped\n")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), native_messages_dropped():
        fail()
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"
