import numpy as np
import torch

from pipeline.synthetic.encoding import encode


def encoded(model, normaliser, data, **options):
    index = torch.tensor([7, 3, 20, 11, 5])
    return encode(model=model, normaliser=normaliser, dataset=data.dataset, index=index, **options)


def test_parts_and_predictions_are_in_the_order_asked_for(oracle, normaliser, small_data):
    found = encoded(oracle, normaliser, small_data, batch_size=2)
    rows = [7, 3, 20, 11, 5]
    np.testing.assert_allclose(found.prediction, small_data.dataset.labels[rows] + 0.5, rtol=1e-6)
    shared = small_data.factors["shared"][rows]
    np.testing.assert_allclose(found.parts["S"]["audio"][:, :4], shared, rtol=1e-6)
    assert found.parts["Z"]["text"].shape == (5, 10)


def test_noise_is_the_same_in_every_call(oracle, normaliser, small_data):
    one, two = (encoded(oracle, normaliser, small_data) for _ in range(2))
    np.testing.assert_array_equal(one.parts["N"]["text"], two.parts["N"]["text"])
    assert one.parts["N"]["text"].std() > 0
