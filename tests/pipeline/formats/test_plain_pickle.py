"""numpy and pickle themselves write what must be read, and what must not be run."""

import os
import pickle
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.formats.plain_pickle import read_plain_pickle

PROTOCOLS = range(6)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.tuples(inner, inner, inner, inner)
    ),
    max_leaves=12,
)


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "data.pkl"
        path.write_bytes(content)
        return read_plain_pickle(path)

    return read


@pytest.fixture(scope="module")
def read_one(tmp_path_factory):
    path = tmp_path_factory.mktemp("pickles") / "data.pkl"

    def read(content):
        path.unlink(missing_ok=True)  # a mapped file must not change
        path.write_bytes(content)
        return read_plain_pickle(path)

    return read


@given(value=PLAIN, protocol=st.sampled_from(PROTOCOLS))
@settings(max_examples=60, deadline=None)
def test_plain_values_are_read_as_pickle_reads_them(read_one, value, protocol):
    assert read_one(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(5000, dtype=">i4"),
        np.array([True, False]),
        np.array(["a", "größer", ""]),
        np.array([b"a", b"bcd"]),
        np.zeros((0, 5)),
        np.array(3.5),
        np.arange(3, dtype=np.float16),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_are_read_whole(read, array, protocol):
    found = read(pickle.dumps({"a": array, "again": array}, protocol))
    for one in found.values():
        assert one.dtype == array.dtype
        np.testing.assert_array_equal(one, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numbers_of_numpy_and_lists_as_arrays_of_objects(read, protocol):
    value = [np.float32(1.5), np.int64(-3), np.array(["a", None, 2.0], dtype=object)]
    assert read(pickle.dumps(value, protocol)) == [1.5, -3, ["a", None, 2.0]]


@pytest.mark.parametrize("old", [b"numpy.core", b"numpy._core"])
def test_modules_of_both_generations_of_numpy(read, old):
    content = pickle.dumps({"a": np.arange(3.0)}, 2)
    assert b"numpy._core" in content
    np.testing.assert_array_equal(read(content.replace(b"numpy._core", old))["a"], [0, 1, 2])


def test_text_and_arrays_of_python_2(read):
    # as Python 2 with numpy 1 writes {'id': 'a', 'x': array([1, 2], 'i2'), 'y': 'gr\xc3\xb6'}
    content = (
        b"\x80\x02}(U\x02idU\x01aU\x01xcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02i2K\x00K\x01\x87R(K\x03U\x01<"
        b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x04\x01\x00\x02\x00tb"
        b"U\x01yU\x04gr\xc3\xb6u."
    )
    found = read(content)
    assert found["id"] == "a"
    assert found["y"] == "grö".encode()
    np.testing.assert_array_equal(found["x"], [1, 2])


class Runs:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Stateful:
    def __reduce__(self):
        return dict, (), {"a": 1}


def hostile(target):
    command = f"touch {target}"
    inner = pickle.dumps(Runs(os.system, command))
    objects = np.empty(1, object)
    objects[0] = Runs(os.system, command)
    return {
        "system": Runs(os.system, command),
        "nested": {"train": {"audio": [1, (2, {"x": Runs(os.system, command)})]}},
        "eval": Runs(eval, f"open({str(target)!r}, 'w')"),
        "popen": Runs(subprocess.Popen, ["touch", str(target)]),
        "pickle in a pickle": Runs(pickle.loads, inner),
        "objects": {"train": objects},
        "import": Runs(__import__, "os"),
        "state": Stateful(),
        "instance": Runs(np.load, str(target)),
        "dtype": np.zeros(2, dtype=[("a", "f4")]),
        "set": {1, 2},
        "dates": np.zeros(2, "M8[s]"),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", sorted(hostile("x")))
def test_everything_else_is_refused_and_not_run(read, tmp_path, kind, protocol):
    target = tmp_path / "was_run"
    with pytest.raises(SourceError, match=r"data\.pkl.*nothing of the file was run"):
        read(pickle.dumps(hostile(target)[kind], protocol))
    assert not target.exists()


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
BUILT = RECONSTRUCT + b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R"
FLOATS = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x89\x88\x87R"


@pytest.mark.parametrize(
    "content",
    {
        "old instance": b"(S'touch x'\nios\nsystem\n.",
        "object": b"(cos\nsystem\nS'touch x'\no.",
        "new object": b"\x80\x02cos\nsystem\n)\x81.",
        "global from memo": b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93.",
        "dotted name": b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.",
        "rot13": b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
        "reconstruct another class": RECONSTRUCT + b"cos\nsystem\nK\x00\x85C\x01b\x87R.",
        "reconstruct bytes": RECONSTRUCT + b"cbuiltins\nbytes\nK\x00\x85C\x01b\x87R.",
        "reconstruct a shape": RECONSTRUCT + b"cnumpy\nndarray\nJ\x00\x00\x00\x7f\x85C\x01b\x87R.",
        "call of an array": BUILT + b")R.",
        "call of text": b"X\x02\x00\x00\x00os)R.",
        "state of a list": b"]}b.",
        "state of a dict": b"}}b.",
        "objects from bytes": BUILT
        + b"(K\x01K\x01\x85cnumpy\ndtype\nX\x02\x00\x00\x00O8\x89\x88\x87R\x89C\x08aaaaaaaatb.",
        "negative shape": BUILT + b"(K\x01J\xff\xff\xff\xff\x85" + FLOATS + b"\x89C\x00tb.",
        "shape that is no number": BUILT
        + b"(K\x01X\x01\x00\x00\x00a\x85"
        + FLOATS
        + b"\x89C\x00tb.",
        "persistent id": b"P1\n.",
        "binary persistent id": b"K\x01Q.",
        "extension": b"\x82\x01.",
        "buffer elsewhere": b"\x80\x05\x97.",
        "unknown memo": b"h\x05.",
        "huge memo": b"K\x01r\xff\xff\xff\xffj\xfe\xff\xff\xff.",
        "huge text": b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
        "negative length": b"T\xff\xff\xff\xff.",
        "huge number": b"L" + b"9" * 10**6 + b"L\n.",
        "items of a list": b"]K\x01K\x02s.",
        "elements of a dict": b"}K\x01a.",
        "odd items": b"}(K\x01u.",
        "unhashable key": b"}]K\x02s.",
        "tuple as key": b"})K\x02s.",
        "no mark": b"t.",
        "empty stack": b".",
        "nothing": b"",
        "text file": b"video_id,clip_id\n",
        "protocol 9": b"\x80\x09K\x01.",
    }.values(),
)
def test_hand_written_tricks_are_refused(read, content):
    with pytest.raises(SourceError, match=r"data\.pkl"):
        read(content)


def test_deep_and_endless_containers_do_no_harm(read):
    assert len(read(b"]" * 100_000 + b"a" * 99_999 + b".")) == 1
    endless = read(b"]q\x00h\x00a.")
    assert endless[0] is endless
    with pytest.raises(SourceError, match="key that is neither"):
        read(b")" + b"\x85" * 200_000 + b"q\x00}h\x00K\x01s.")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_file_cut_anywhere_is_refused(read_one, protocol):
    data = {"train": {"audio": np.arange(2000.0).reshape(10, 200), "id": ["a", "b"]}}
    content = pickle.dumps(data, protocol)
    for cut in [*range(0, min(len(content), 300), 7), *range(300, len(content), 997)]:
        with pytest.raises(SourceError):
            read_one(content[:cut])


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_cut_array_is_named_with_key_and_place(read, protocol):
    data = {"train": {"id": ["a"]}, "valid": {"id": ["b"], "audio": np.ones((10, 20, 30))}}
    content = pickle.dumps(data, protocol)
    message = "'valid' > 'audio'" + (r".*\(10, 20, 30\)" if protocol in (3, 4) else "")
    with pytest.raises(SourceError, match=message):
        read(content[: len(content) // 2])


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**6), (2**40, 2**40), (0, 10**12)])
def test_a_claimed_shape_is_compared_with_the_file(read, shape):
    axes = b"".join(b"\x8a\x09" + size.to_bytes(9, "little") for size in shape)
    content = BUILT + b"(K\x01(" + axes + b"t" + FLOATS + b"\x89C\x04aaaatb"
    content = content.replace(b"C\x04aaaa", b"C\x00") if 0 in shape else content
    with pytest.raises(SourceError, match=rf"'train' > 'audio'.*{shape[-1]}"):
        read(b"\x80\x04}X\x05\x00\x00\x00train}X\x05\x00\x00\x00audio" + content + b"ss.")


def test_a_large_array_stays_in_the_file(read):
    found = read(pickle.dumps({"audio": np.zeros((100, 1000))}, 4))["audio"]
    assert not found.flags.owndata
    assert not found.flags.writeable
