import io
import itertools

import numpy as np
import pytest
from skimage.io import imread

from pipeline.figures import (
    draw_confusion,
    draw_labels,
    draw_losses,
    draw_scatter,
    save_figure,
)
from pipeline.report import SeedReport
from pipeline.training_state import EpochRecord


def seed_report(seed, errors, terms=("task", "noise_prediction")):
    history = tuple(
        EpochRecord(
            epoch=number,
            terms=dict.fromkeys(terms, 1.0 / (number + 1) + seed),
            weights=dict.fromkeys(terms, 0.5),
            total=1.0,
            gradient_norm=1.0,
            learning_rate=1e-3,
            valid_mae=error,
            seconds=0.1,
        )
        for number, error in enumerate(errors)
    )
    return SeedReport(seed=seed, best_epoch=int(np.argmin(errors)), history=history, metrics={})


def texts(figure):
    """Titles, axis labels and legends with their boxes in pixels, laid out as they are drawn."""
    figure.draw_without_rendering()
    found = [text for legend in figure.legends for text in legend.get_texts()]
    for panel in figure.axes:
        found += [panel.title, panel.xaxis.label, panel.yaxis.label]
    return [(text.get_text(), text.get_window_extent()) for text in found if text.get_text()]


def overlaps(figure):
    return [
        (left, right)
        for (left, one), (right, other) in itertools.combinations(texts(figure), 2)
        if one.overlaps(other)
    ]


def outside(figure):
    return [
        text
        for text, box in texts(figure)
        if box.x0 < 0 or box.y0 < 0 or box.x1 > figure.bbox.x1 or box.y1 > figure.bbox.y1
    ]


@pytest.mark.parametrize("terms", [1, 2, 3, 4, 7])
def test_each_term_has_a_panel_and_validation_the_last(terms):
    names = tuple(f"some_long_term_{number}" for number in range(terms))
    seeds = tuple(seed_report(n, [3.0, 1.0, 2.0], names) for n in range(5))
    figure = draw_losses(seeds)
    panels = [panel for panel in figure.axes if panel.axison]
    assert len(panels) == terms + 1
    for panel, name in zip(panels, names, strict=False):
        assert panel.get_title().startswith(name.replace("_", " "))
        assert [line.get_ydata()[0] for line in panel.lines] == [1.0 + n for n in range(5)]
    assert all(panel.get_xlabel() == "epoch" and panel.get_ylabel() for panel in panels)


def test_the_selected_epoch_is_marked():
    figure = draw_losses((seed_report(0, [3.0, 1.0, 2.0]), seed_report(1, [1.0, 2.0, 3.0])))
    validation = next(panel for panel in figure.axes if panel.get_ylabel() == "MAE")
    dots = [line for line in validation.lines if line.get_marker() == "o"]
    assert [tuple(np.ravel(dot.get_xydata())) for dot in dots] == [(1.0, 1.0), (0.0, 1.0)]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["seed 0", "seed 1"]


def test_the_scatter_shows_every_utterance():
    target = np.array([-2.0, 0.0, 3.0])
    predictions = {0: np.array([-1.0, 0.5, 2.0]), 5: np.array([-2.0, 0.5, 9.0])}
    panel = draw_scatter(target=target, predictions=predictions).axes[0]
    seeds, mean = (line.get_xydata() for line in panel.lines[-2:])
    assert {tuple(point) for point in mean} == {(-2, -1.5), (0, 0.5), (3, 5.5)}
    assert len(seeds) == 6
    assert panel.get_ylim()[1] > 9
    assert "3 utterances" in panel.get_title()


def test_labels_are_counted_by_class():
    figure = draw_labels({"train": np.array([-3.0, 0.4, -0.4, 2.6]), "test": np.array([1.0])})
    train, test = figure.axes
    assert [bar.get_height() for bar in train.patches] == [1, 0, 0, 2, 0, 0, 1]
    assert [bar.get_height() for bar in test.patches] == [0, 0, 0, 0, 1, 0, 0]
    assert train.get_title() == "train (4)"


def test_labels_to_one_and_classes_have_bars_of_their_own():
    labels = {"train": np.array([-1.0, 0.2, 0.2, 1.0])}
    (panel,) = draw_labels(labels, label_range=(-1.0, 1.0)).axes
    assert [bar.get_height() for bar in panel.patches] == [1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1]
    assert panel.patches[6].get_center()[0] == pytest.approx(0.2)
    names = ("joke", "thank", "ask")
    (panel,) = draw_labels({"train": np.array([2.0, 0.0, 2.0])}, names=names).axes
    assert [bar.get_height() for bar in panel.patches] == [1, 0, 2]
    assert [tick.get_text() for tick in panel.get_xticklabels()] == list(names)
    scatter = draw_scatter(
        target=np.array([-1.0, 1.0]), predictions={0: np.zeros(2)}, label_range=(-1.0, 1.0)
    ).axes[0]
    assert scatter.get_xlim() == pytest.approx((-1.1, 1.1))


def test_a_confusion_counts_by_true_and_predicted_class():
    target, predicted = np.array([0.0, 0.0, 1.0, 2.0]), np.array([0.0, 2.0, 1.0, 2.0])
    names = ("joke", "thank", "ask for help")
    figure = draw_confusion(target=target, predicted=predicted, names=names)
    panel = figure.axes[0]
    counts = {(text.get_position(), text.get_text()) for text in panel.texts}
    assert counts == {((0, 0), "1"), ((2, 0), "1"), ((1, 1), "1"), ((2, 2), "1")}
    assert [tick.get_text() for tick in panel.get_yticklabels()] == list(names)
    assert outside(figure) == []


def test_nothing_is_written_over_anything():
    long = tuple(f"noise_prediction_{number}" for number in range(7))
    seeds = tuple(seed_report(n, [0.3, 0.1, 0.2], long) for n in range(5))
    target = np.linspace(-3, 3, 20)
    for figure in (
        draw_losses(seeds),
        draw_scatter(target=target, predictions={0: target, 1: -target}),
        draw_labels(dict.fromkeys(("train", "valid", "test"), target)),
    ):
        assert overlaps(figure) == []
        assert outside(figure) == []


def test_a_png_is_written(tmp_path):
    path = tmp_path / "figures" / "labels.png"
    save_figure(draw_labels({"train": np.zeros(3)}), path)
    picture = imread(io.BytesIO(path.read_bytes()))
    assert picture.ndim == 3
    assert picture.std() > 10
