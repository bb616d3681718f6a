import hashlib
import math
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fingerprint import file_digest, settings_digest

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_file_digest_is_that_of_sha256sum(tmp_path):
    path = tmp_path / "a file"
    path.write_bytes(bytes(range(256)) * 5000)
    told = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
    assert file_digest(path) == told.stdout.split()[0]


def test_settings_digest_is_that_of_canonical_json():
    digest = hashlib.sha256(b'{"a":[1,2.5,null,true],"b":"x"}').hexdigest()
    assert settings_digest({"b": "x", "a": [1, 2.5, None, True]}) == digest


@given(st.dictionaries(st.text(), PLAIN, min_size=2, max_size=5))
def test_order_of_keys_does_not_matter(tree):
    assert settings_digest(tree) == settings_digest(dict(reversed(tree.items())))


@given(PLAIN, PLAIN)
def test_other_settings_have_another_digest(one, other):
    # JSON keeps 1, 1.0 and True apart, Python's == does not
    assert (settings_digest(one) == settings_digest(other)) == (repr(one) == repr(other)) or (
        isinstance(one, dict | list) and one == other
    )


@pytest.mark.parametrize("bad", [{1, 2}, {"a": object()}, b"bytes"])
def test_other_things_are_refused(bad):
    with pytest.raises(TypeError):
        settings_digest(bad)


@pytest.mark.parametrize("bad", [math.nan, [math.inf]])
def test_numbers_that_json_lacks_are_refused(bad):
    with pytest.raises(ValueError, match="JSON compliant"):
        settings_digest(bad)
