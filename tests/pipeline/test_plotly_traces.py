import json

import numpy as np
import pytest
from plotly.graph_objects import Figure

from pipeline.plotly_traces import axes, heat, line, number, points


def test_numbers_are_json():
    assert [number(x) for x in (None, np.nan, np.inf, 1 / 3, 123456789.0)] == [
        *(None, None, None, 0.333333, 123457000.0)
    ]


def test_traces_are_plotlys():
    """Plotly refuses properties and values that it does not know."""
    values = np.array([[0.0, 0.5], [1.0, np.nan]])
    traces = [
        line("a", [0, 1], [None, 2.0], "#0072b2"),
        points(np.array([1.0]), np.array([2.0]), ["one"]),
        heat(values, names=(["x", "y"], ["p", "q"]), text=[["", ""]] * 2, bounds=(0.0, 1.0)),
    ]
    json.dumps(traces, allow_nan=False)
    figure = Figure(data=traces, layout=axes("epoch", ""))
    assert figure.layout.xaxis.title.text == "epoch"
    assert [trace.type for trace in figure.data] == ["scatter", "scatter", "heatmap"]
    assert list(figure.data[2].z[1]) == [1.0, None]
    with pytest.raises(ValueError, match="colour"):
        Figure(data=[{"type": "scatter", "colour": "red"}])


def test_a_single_point_is_no_line():
    assert line("a", [0], [1.0], "#000000")["mode"] == "markers"
    assert line("a", [0, 1], [1.0, 2.0], "#000000")["mode"] == "lines"
