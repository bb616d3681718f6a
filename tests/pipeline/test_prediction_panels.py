import numpy as np
from plotly.graph_objects import Figure
from sklearn.metrics import confusion_matrix

from pipeline.prediction_panels import confusion_panel, prediction_panels

TARGET = np.array([-3.0, -1.4, 0.0, 0.6, 2.5, 2.51])
PREDICTION = np.array([-3.8, -1.0, 0.4, -0.2, 2.4, 3.3])
HINTS = [f"<b>{row}</b>" for row in range(6)]


def test_points_residuals_and_classes():
    scatter, residuals, confusion = prediction_panels(
        target=TARGET, prediction=PREDICTION, hints=HINTS, scale=3.0
    )
    for panel in (scatter, residuals, confusion):
        Figure(data=panel.data, layout=panel.layout)
    assert scatter.data[1]["y"] == PREDICTION.tolist()
    assert scatter.data[0]["x"] == [-3.8, 3.3]
    assert np.allclose(residuals.data[1]["y"], PREDICTION - TARGET)
    assert "mean -0.018" in residuals.description
    rounded = [np.rint(np.clip(x, -3, 3)) for x in (TARGET, PREDICTION)]
    counts = confusion_matrix(*rounded, labels=range(-3, 4))
    assert confusion.data[0]["text"] == [[str(n) for n in row] for row in counts.tolist()]
    assert confusion.data[0]["x"] == ["-3", "-2", "-1", "0", "+1", "+2", "+3"]
    assert f"{np.trace(counts)} of 6 on the diagonal" in confusion.description


def test_what_is_told_of_a_point_is_no_markup():
    scatter, residuals, _ = prediction_panels(
        target=TARGET, prediction=PREDICTION, hints=HINTS, scale=3.0
    )
    for panel in (scatter, residuals):
        assert panel.data[1]["text"][1] == "&lt;b&gt;1&lt;/b&gt;"


def test_labels_to_one_have_the_classes_of_ch_sims():
    target, prediction = (
        np.array([-0.8, -0.1, 0.0, 0.2, 1.0]),
        np.array([-0.7, -0.2, 0.1, 0.8, 0.9]),
    )
    *_, confusion = prediction_panels(
        target=target, prediction=prediction, hints=[""] * 5, scale=1.0
    )
    found = np.array(confusion.data[0]["text"], int)
    wanted = np.zeros((5, 5), int)
    for row, column in ((0, 0), (1, 1), (2, 2), (3, 4), (4, 4)):
        wanted[row, column] += 1
    assert found.tolist() == wanted.tolist()


def test_colours_are_shares_of_the_labelled_class():
    panel = confusion_panel(np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1]), names=("no", "yes"))
    assert panel.data[0]["z"] == [[0.333333, 0.666667], [0.0, 1.0]]


def test_a_confusion_of_many_classes_has_a_row_of_its_own():
    names = [f"intent {number}" for number in range(20)]
    true = np.array([0, 0, 19])
    panel = confusion_panel(true, np.array([0, 5, 19]), names=names)
    assert panel.large
    counts = np.array(panel.data[0]["text"])
    assert (counts[0, 0], counts[0, 5], counts[19, 19], (counts != "").sum()) == ("1", "1", "1", 3)
    assert "2 of 3 on the diagonal" in panel.description
    assert not confusion_panel(true % 2, true % 2, names=["0", "1"]).large
