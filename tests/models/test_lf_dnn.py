import torch

from models.base import get
from models.lf_dnn import LFDNN, LFDNNConfig


def test_registered_by_name():
    assert get("lf_dnn") is LFDNN


def test_prediction_is_the_head_on_the_vectors_side_by_side(make_batch, dimensions):
    model = LFDNN(LFDNNConfig(text_width=3, audio_width=4, vision_width=5), dimensions).eval()
    output = model(make_batch())
    Z = torch.cat([output.parts["Z"][name] for name in ("text", "audio", "vision")], dim=1)
    assert Z.shape == (8, 12)
    torch.testing.assert_close(output.prediction, model.head(Z))
