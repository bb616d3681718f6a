import numpy as np
import pytest

from pipeline.formats.utterance import Utterance, counted, rows_of


def test_ids_are_written_as_mmsa_does():
    assert Utterance(video="v", clip="12").id == "v$_$12"
    assert Utterance(video="v").id == "v"


def test_rows_without_times_are_counted():
    rows = rows_of([[1, 2], [3, 4], [0, 0]], modality="vision")
    assert rows.names == ("vision_0", "vision_1")
    np.testing.assert_array_equal(rows.times, [[0, 1], [1, 2], [2, 3]])
    assert rows.valid.tolist() == [True, True, False]
    assert counted(0).shape == (0, 2)


def test_what_is_not_finite_in_float32_is_0():
    values = np.array([[1e300, -np.inf, np.nan, 1.0]])
    np.testing.assert_array_equal(rows_of(values, modality="audio").values, [[0, 0, 0, 1]])


def test_the_source_is_not_changed():
    values = np.array([[np.nan, 1]], np.float32)
    rows_of(values, modality="audio")
    assert np.isnan(values[0, 0])


@pytest.mark.parametrize(
    "values",
    [np.zeros(3), np.zeros((1, 2, 3)), [["a"]], np.zeros((0, 10**9)), np.zeros((1, 2), "c8")],
)
def test_other_shapes_are_refused(values):
    with pytest.raises(ValueError, match="shape"):
        rows_of(values, modality="audio")
