import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.preprocessing import StandardScaler

from pipeline.normalise import LIMIT, Normaliser

tables = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.floats(-100, 100, width=32),
)


@given(tables)
def test_equals_scikit_learn_where_features_vary(values):
    found = Normaliser.fit({"audio": torch.tensor(values)}).apply("audio", torch.tensor(values))
    exact = values.astype(np.float64)
    varies = exact.std(0) > 1e-3
    expected = StandardScaler().fit_transform(exact).clip(-LIMIT, LIMIT)
    np.testing.assert_allclose(found[:, varies], expected[:, varies], rtol=1e-2, atol=1e-2)
    assert torch.isfinite(found).all()


@pytest.mark.parametrize("unit", [1e-9, 1e-4, 1.0, 1e6])
def test_the_unit_of_a_feature_does_not_matter(unit):
    values = torch.tensor(np.random.default_rng(0).normal(2, 1, (200, 3)) * unit).float()
    found = Normaliser.fit({"audio": values}).apply("audio", values)
    assert found.mean(0).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert found.std(0, correction=0).tolist() == pytest.approx([1, 1, 1], rel=1e-4)


@pytest.mark.parametrize("constant", [0.0, 0.1, -7.3e8, 1e-20])
def test_a_feature_that_does_not_vary_becomes_zero(constant):
    values = torch.full((37, 2), constant)
    normaliser = Normaliser.fit({"vision": values})
    assert normaliser.scale["vision"].tolist() == [1.0, 1.0]
    assert normaliser.apply("vision", values).abs().max() <= 1e-6 * abs(constant)


def test_no_rows_are_legal():
    normaliser = Normaliser.fit({"audio": torch.zeros(0, 3)})
    values = torch.tensor([[1.0, -2.0, 30.0]])
    assert normaliser.apply("audio", values).tolist() == [[1.0, -2.0, LIMIT]]


def test_outliers_are_clipped_and_what_is_not_finite_is_taken_as_zero():
    values = torch.tensor([[0.0], [2.0], [0.0], [2.0]])
    normaliser = Normaliser.fit({"audio": values})
    strange = torch.tensor([[1e9], [-1e9], [float("nan")], [float("inf")], [-float("inf")]])
    assert normaliser.apply("audio", strange).ravel().tolist() == [LIMIT, -LIMIT, -1, -1, -1]


def test_statistics_survive_values_that_are_not_finite():
    values = torch.tensor([[1.0], [float("nan")], [3.0], [float("inf")]])
    normaliser = Normaliser.fit({"audio": values})
    assert normaliser.mean["audio"].item() == pytest.approx(1.0)
    assert normaliser.scale["audio"].item() == pytest.approx(np.std([1, 0, 3, 0]))


def test_large_offsets_are_measured_exactly():
    values = torch.tensor([[16384.0 + step / 8] for step in range(16)])
    expected = np.std(np.arange(16) / 8)
    found = Normaliser.fit({"audio": values}).scale["audio"].item()
    assert found == pytest.approx(expected, rel=1e-6)


def test_statistics_are_float32_of_every_modality():
    rows = {"audio": torch.rand(5, 2), "text": torch.rand(5, 3)}
    normaliser = Normaliser.fit(rows)
    assert {name: tuple(mean.shape) for name, mean in normaliser.mean.items()} == {
        "audio": (2,),
        "text": (3,),
    }
    assert all(x.dtype == torch.float32 for x in (*normaliser.mean.values(),))
    assert normaliser.apply("text", rows["text"].reshape(1, 5, 3)).shape == (1, 5, 3)
