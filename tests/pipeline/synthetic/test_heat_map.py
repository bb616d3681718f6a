import io

import numpy as np
import pytest
from skimage.io import imread

from pipeline.synthetic.benchmark_run import BenchmarkRun
from pipeline.synthetic.heat_map import draw_heat_map
from pipeline.synthetic.probe_matrix import ProbeMatrix
from pipeline.synthetic.score_card import ScoreCard


def run(contender, seed, offset, rows=("S_text", "P_text", "Z_text")):
    columns = ("shared", "private_text", "nuisance_text", "sentiment")
    linear = {
        r: {c: (i + j) / 10 + offset for j, c in enumerate(columns)} for i, r in enumerate(rows)
    }
    perceptron = {r: dict.fromkeys(columns, 0.5) for r in rows}
    card = ScoreCard(
        probes=ProbeMatrix(linear=linear, perceptron=perceptron), scores={}, dependence={}
    )
    return BenchmarkRun(
        contender=contender,
        model="mind",
        seed=seed,
        settings={},
        training={},
        data="",
        seconds=1.0,
        best_epoch=0,
        terms={},
        card=card,
    )


def texts(panel):
    return [text.get_text() for text in panel.texts]


def test_cells_show_means_over_seeds():
    figure = draw_heat_map([run("one", 0, 0.0), run("one", 1, 0.2), run("two", 0, 0.0)])
    assert len(figure.axes) == 4
    linear, perceptron = figure.axes[:2]
    expected = [f"{(i + j) / 10 + 0.1:.2f}" for i in range(3) for j in range(4)]
    assert texts(linear) == expected
    assert set(texts(perceptron)) == {"0.50"}
    assert linear.get_title() == "one, linear probes, 2 seed(s)"
    image = linear.images[0].get_array()
    assert image[1, 2] == pytest.approx(0.4)


def test_failed_runs_are_left_out_and_no_runs_are_a_figure():
    failed = BenchmarkRun(
        contender="one",
        model="mind",
        seed=0,
        settings={},
        training={},
        data="",
        seconds=0.0,
        best_epoch=-1,
        terms={},
        card=None,
    )
    figure = draw_heat_map([failed, run("two", 0, 0.0)])
    assert len(figure.axes) == 2
    draw_heat_map([failed]).draw_without_rendering()


def test_titles_do_not_overlap():
    rows = tuple(f"S_{number}" for number in range(16))
    figure = draw_heat_map([run("one", 0, 0.0, rows), run("two", 0, 0.0)])
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    assert np.asarray(imread(io.BytesIO(stream.getvalue()))).ndim == 3
    boxes = [panel.get_tightbbox() for panel in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if a is not b)
