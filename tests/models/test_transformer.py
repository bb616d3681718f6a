import math

import pytest
import torch
from torch import nn

from models.transformer import TransformerLayer, sinusoidal_positions

WIDTH, HEADS = 16, 4


def layer(**dropouts):
    names = ("attention_dropout", "feedforward_dropout", "residual_dropout")
    return TransformerLayer(
        width=WIDTH, heads=HEADS, **{name: dropouts.get(name, 0.0) for name in names}
    )


def reference_of(ours):
    theirs = nn.TransformerEncoderLayer(
        WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="relu", batch_first=True, norm_first=True
    )
    norm, inner, _, _, outer = ours.feedforward
    theirs.self_attn.in_proj_weight.data = ours.query_key_value.weight.data
    theirs.self_attn.in_proj_bias.data = ours.query_key_value.bias.data
    pairs = [
        (theirs.self_attn.out_proj, ours.attention_output),
        (theirs.norm1, ours.attention_norm),
        (theirs.norm2, norm),
        (theirs.linear1, inner),
        (theirs.linear2, outer),
    ]
    for theirs_part, ours_part in pairs:
        theirs_part.load_state_dict(ours_part.state_dict())
    return theirs


def test_equals_torch_encoder_layer():
    ours = layer()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.3)
    hidden, keys = torch.randn(3, 9, WIDTH), torch.rand(3, 9) < 0.7
    keys[:, 0] = True
    expected = reference_of(ours)(hidden, src_key_padding_mask=~keys)
    torch.testing.assert_close(ours(hidden, keys), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["attention_dropout", "feedforward_dropout", "residual_dropout"])
def test_each_dropout_acts_in_training_only(name):
    ours = layer(**{name: 0.5})
    hidden, keys = torch.randn(2, 6, WIDTH), torch.ones(2, 6, dtype=torch.bool)
    assert not torch.equal(ours(hidden, keys), ours(hidden, keys))
    ours.eval()
    assert torch.equal(ours(hidden, keys), ours(hidden, keys))


def test_positions_against_the_formula():
    codes = sinusoidal_positions(length=30, width=8, like=torch.zeros(1))
    for step in range(30):
        for i in range(4):
            angle = step / 10000 ** (2 * i / 8)
            assert codes[step, i].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert codes[step, 4 + i].item() == pytest.approx(math.cos(angle), abs=1e-5)


def test_positions_do_not_depend_on_the_length():
    like = torch.zeros(1, dtype=torch.float64)
    short = sinusoidal_positions(length=5, width=6, like=like)
    assert short.dtype == torch.float64
    assert torch.equal(short, sinusoidal_positions(length=50, width=6, like=like)[:5])
