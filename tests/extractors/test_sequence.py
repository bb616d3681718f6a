import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.sequence import FeatureSequence


def sequence(**changed):
    parts = {
        "values": np.arange(6, dtype=np.float32).reshape(3, 2),
        "times": np.array([[0.0, 0.1], [0.1, 0.2], [0.2, 0.4]]),
        "names": ("a", "b"),
        "valid": np.array([True, False, True]),
    }
    return FeatureSequence(**(parts | changed))


def test_length_is_the_number_of_rows():
    assert len(sequence()) == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"values": np.zeros((3, 2))}, r"float32 of shape \(T, D\), got float64"),
        ({"values": np.zeros(3, np.float32)}, r"got float32 \(3,\)"),
        ({"times": np.zeros((2, 2))}, r"float64 of shape \(3, 2\), got float64 \(2, 2\)"),
        ({"times": np.zeros((3, 2), np.float32)}, "got float32"),
        ({"valid": np.ones(2, bool)}, r"bool of shape \(3,\)"),
        ({"valid": np.ones(3)}, "got float64"),
        ({"names": ("a",)}, "2 distinct strings, got 1"),
        ({"names": ("a", "a")}, "2 distinct strings"),
        ({"values": np.array([[0, 1], [0, np.nan], [0, 1]], np.float32)}, "column 'b'"),
        ({"values": np.array([[0, 1], [-np.inf, 1], [0, 1]], np.float32)}, "column 'a'"),
        ({"times": np.array([[0, 1], [1, 2], [2, np.inf]])}, "times are not all finite"),
        ({"times": np.array([[0, 1], [2, 3], [1, 4.0]])}, "do not decrease"),
        ({"times": np.array([[0, 1], [1, 0.5], [2, 3]])}, "ends after starts"),
    ],
)
def test_broken_parts_are_named(changed, message):
    with pytest.raises(ValueError, match=message):
        sequence(**changed)


def test_equal_starts_and_empty_spans_are_legal():
    assert len(sequence(times=np.array([[0, 1], [0, 0], [0, 2.0]]))) == 3


def test_empty_has_columns_and_no_rows():
    empty = FeatureSequence.empty(("a", "b", "c"))
    assert len(empty) == 0
    assert empty.values.shape == (0, 3)
    assert len(empty.between(0, 1)) == 0


def test_between_takes_rows_by_their_midpoints():
    part = sequence().between(0.06, 0.3)
    np.testing.assert_array_equal(part.values, [[2, 3]])
    np.testing.assert_array_equal(part.times, [[0.1, 0.2]])
    np.testing.assert_array_equal(part.valid, [False])


def test_between_refuses_a_reversed_span():
    with pytest.raises(ValueError, match=r"span \[2, 1\) s is reversed"):
        sequence().between(2, 1)


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=30),
    st.lists(st.floats(0, 11), min_size=1, max_size=5),
)
def test_adjoining_spans_use_every_row_once(starts, cuts):
    starts = np.sort(starts)
    rows = FeatureSequence(
        values=np.arange(len(starts), dtype=np.float32)[:, None],
        times=np.stack([starts, starts + 0.5], axis=1),
        names=("row",),
        valid=np.ones(len(starts), bool),
    )
    edges = [0.0, *sorted(cuts), 12.0]
    parts = [rows.between(a, b) for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate([p.values for p in parts]), rows.values)
