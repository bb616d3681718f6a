import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.base import get
from models.tfn import TFN, TFNConfig, tensor_fusion


def test_registered_by_name():
    assert get("tfn") is TFN


@given(widths=st.lists(st.integers(1, 4), min_size=1, max_size=3))
@settings(deadline=None, max_examples=20)
def test_product_is_that_of_a_loop(widths):
    vectors = [torch.randn(2, width) for width in widths]
    found = tensor_fusion(vectors=vectors)
    assert found.shape == (2, math.prod(width + 1 for width in widths))
    for row in range(2):
        extended = [[1.0, *vector[row].tolist()] for vector in vectors]
        expected = [math.prod(values) for values in itertools.product(*extended)]
        np.testing.assert_allclose(found[row].numpy(), expected, rtol=1e-5, atol=1e-6)


def test_vectors_and_products_of_two_are_among_the_products_of_three():
    t, a, v = (torch.randn(1, width) for width in (2, 3, 4))
    cube = tensor_fusion(vectors=[t, a, v]).view(3, 4, 5)
    assert cube[0, 0, 0] == 1
    torch.testing.assert_close(cube[1:, 0, 0], t[0])
    torch.testing.assert_close(cube[0, 0, 1:], v[0])
    torch.testing.assert_close(cube[0, 1:, 1:], torch.outer(a[0], v[0]))


@pytest.mark.parametrize("limit", [1.0, 3.0])
def test_prediction_is_a_sigmoid_between_the_limits(make_batch, dimensions, limit):
    config = TFNConfig(text_width=3, audio_width=2, vision_width=4, output_limit=limit)
    model = TFN(config, dimensions).eval()
    output = model(make_batch())
    fused = tensor_fusion(vectors=[output.parts["Z"][m] for m in ("text", "audio", "vision")])
    assert fused.shape == (8, 60)
    expected = -limit + 2 * limit / (1 + np.exp(-model.head(fused).detach().numpy()))
    np.testing.assert_allclose(output.prediction.detach().numpy(), expected, rtol=1e-4, atol=1e-6)
    with torch.no_grad():
        model.head[-2].bias += 50
    assert model(make_batch()).prediction.max() <= limit
