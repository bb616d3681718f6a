import torch

from models.base import get
from models.concat import Concat, ConcatConfig


def test_registered_by_name():
    assert get("concat") is Concat


def test_prediction_is_the_fusion_of_the_vectors_side_by_side(make_batch, dimensions):
    model = Concat(ConcatConfig(width=6, fusion_width=9), dimensions).eval()
    output = model(make_batch())
    Z = torch.cat([output.parts["Z"][name] for name in ("text", "audio", "vision")], dim=1)
    assert Z.shape == (8, 18)
    first, _, _, last, _ = model.fusion
    hidden = torch.clamp(Z @ first.weight.T + first.bias, min=0)
    torch.testing.assert_close(output.prediction, (hidden @ last.weight.T + last.bias)[:, 0])


def test_the_order_of_frames_does_not_matter(make_batch, dimensions):
    batch, model = make_batch(size=1), Concat(None, dimensions).eval()
    plain = model(batch).prediction
    for sequence in batch.sequences.values():
        assert sequence.mask.all()
        sequence.values.copy_(sequence.values.flip(1))
    torch.testing.assert_close(model(batch).prediction, plain)
