import numpy as np
import pytest

from pipeline.synthetic.probe_matrix import probe_matrix, representations


def test_parts_have_names_and_shared_codes_a_mean(generator):
    codes = generator.standard_normal((3, 5, 2))
    parts = {"S": {"text": codes[0], "audio": codes[1]}, "P": {"text": codes[2]}}
    found = representations(parts)
    assert set(found) == {"S_text", "S_audio", "P_text", "S+P_text", "S_mean"}
    np.testing.assert_allclose(found["S_mean"], (codes[0] + codes[1]) / 2)
    np.testing.assert_array_equal(found["S+P_text"], np.concatenate([codes[0], codes[2]], axis=1))


def test_widths_that_differ_have_no_mean(generator):
    parts = {"S": {"text": generator.random((5, 2)), "audio": generator.random((5, 3))}}
    assert "S_mean" not in representations(parts)


def test_each_cell_is_the_share_that_is_told(generator):
    a, b, noise = generator.standard_normal((3, 4000, 2))
    codes = {"plain": a + noise, "squared": np.concatenate([a, b**2], axis=1)}
    factors = {"a": a, "b": np.abs(b)}

    def cut(found, rows):
        return {name: values[rows] for name, values in found.items()}

    old, new = slice(0, 3000), slice(3000, None)
    matrix = probe_matrix(
        codes=cut(codes, old),
        factors=cut(factors, old),
        new_codes=cut(codes, new),
        new_factors=cut(factors, new),
        seed=0,
    )
    assert matrix.linear["plain"] == pytest.approx({"a": 0.5, "b": 0.0}, abs=0.04)
    assert matrix.perceptron["plain"] == pytest.approx({"a": 0.5, "b": 0.0}, abs=0.04)
    # |b| is a function of b squared that no line follows
    assert matrix.linear["squared"]["b"] < 0.9
    assert matrix.perceptron["squared"]["b"] > 0.97
    assert matrix.linear["squared"]["a"] > 0.99
