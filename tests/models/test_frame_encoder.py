import numpy as np
import torch

from models.batch import PaddedSequence
from models.frame_encoder import FrameEncoder


def test_vector_is_the_mean_of_what_the_network_says_of_each_valid_frame():
    mask = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=torch.bool)
    values = torch.randn(3, 5, 4) * mask[..., None]
    encoder = FrameEncoder(input_width=4, width=6)
    w1, b1, w2, b2 = (p.detach().double().numpy() for p in encoder.parameters())
    expected = np.zeros((3, 6))
    for row in range(3):
        frames = values[row][mask[row]].double().numpy()
        said = [np.maximum(w2 @ np.maximum(w1 @ frame + b1, 0) + b2, 0) for frame in frames]
        if said:
            expected[row] = np.mean(said, axis=0)
    np.testing.assert_allclose(
        encoder(PaddedSequence(values=values, mask=mask)).detach().numpy(),
        expected,
        rtol=1e-4,
        atol=1e-6,
    )
    assert expected[:2].any(axis=1).all()
