import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats.pickle_layout import Room, lay_out

TREE = st.recursive(
    st.text(max_size=5)
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.lists(st.text(max_size=3) | st.integers(-9, 9), max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def whole(layout):
    content = bytearray(layout.size)
    for at, part in layout.parts.items():
        content[at : at + len(part)] = part
    return content


def unpickle(content):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "numpy.core", DeprecationWarning)
        return pickle.loads(bytes(content))


@given(tree=st.dictionaries(st.text(max_size=3), TREE, max_size=3))
@settings(max_examples=60, deadline=None)
def test_pickle_reads_the_tree(tree):
    assert unpickle(whole(lay_out(tree))) == tree


def test_arrays_at_once_and_rooms_to_be_filled():
    tree = {
        "a": np.arange(6, dtype=np.int32).reshape(2, 3),
        "b": {"c": Room(dtype="<f4", shape=(3, 2))},
    }
    layout = lay_out(tree)
    content = whole(layout)
    at = layout.rooms["b", "c"]
    content[at + 8 : at + 12] = np.float32(1.5).tobytes()
    found = unpickle(content)
    np.testing.assert_array_equal(found["a"], tree["a"])
    np.testing.assert_array_equal(found["b"]["c"], np.float32([[0, 0], [1.5, 0], [0, 0]]))
    assert found["a"].dtype == np.int32


def test_an_array_can_be_larger_than_the_memory():
    layout = lay_out({"a": Room(dtype="<f4", shape=(10**6, 10**6))})
    assert layout.size > 4 * 10**12
    assert sum(map(len, layout.parts.values())) < 1000


@pytest.mark.parametrize("value", [None, True, b"a", {"a"}, [[1]], object()])
def test_nothing_else_gets_in(value):
    with pytest.raises(TypeError, match="neither text nor number"):
        lay_out({"a": value})
