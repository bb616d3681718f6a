import dataclasses

import numpy as np
import pytest
import torch

from models.batch import PaddedSequence
from models.encoders import EncoderConfig, SequenceEncoder, TextEncoder

MASKED_POOLINGS = ("summary", "mean", "attn")


def sequence(lengths=(13, 6, 1), width=5, padding=0):
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(max(lengths) + padding) < torch.tensor(lengths)[:, None]
    values = torch.zeros(*mask.shape, width)
    values[:, : max(lengths)] = torch.randn(len(lengths), max(lengths), width, generator=generator)
    return PaddedSequence(values=values * mask[..., None], mask=mask)


def encoder(pooling="summary", stride=1, **config):
    config = EncoderConfig(width=16, layers=2, pooling=pooling, **config)
    built = SequenceEncoder(config, input_width=5, stride=stride).eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return built


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("padding", [1, 7])
@pytest.mark.parametrize("pooling", MASKED_POOLINGS)
def test_padding_changes_nothing(pooling, stride, padding):
    ours = encoder(pooling, stride)
    plain, padded = ours(sequence()), ours(sequence(padding=padding))
    torch.testing.assert_close(padded, plain, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(plain[0], plain[1], atol=1e-3)


def test_last_pooling_sees_the_padding_as_the_authors_do():
    ours = encoder("last")
    assert not torch.allclose(ours(sequence()), ours(sequence(padding=7)), atol=1e-4)


@pytest.mark.parametrize("pooling", MASKED_POOLINGS)
def test_interior_gap_is_not_attended_to(pooling):
    plain = sequence(lengths=(9, 9))
    mask = plain.mask.clone()
    mask[:, 3:5] = False
    other = plain.values.clone()
    other[:, 3:5] = 50.0
    ours = encoder(pooling)
    before, after = (ours(PaddedSequence(values=v, mask=mask)) for v in (plain.values, other))
    torch.testing.assert_close(before, after)


@pytest.mark.parametrize("pooling", MASKED_POOLINGS)
def test_order_in_time_matters(pooling):
    plain = sequence(lengths=(9, 9))
    turned = PaddedSequence(values=plain.values.flip(1), mask=plain.mask)
    ours = encoder(pooling)
    assert not torch.allclose(ours(plain), ours(turned), atol=1e-3)


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("pooling", [*MASKED_POOLINGS, "last"])
def test_row_without_a_valid_frame_is_finite(pooling, stride):
    full = sequence()
    mask = full.mask.clone()
    mask[1] = False
    ours = encoder(pooling, stride).train()
    encoded = ours(PaddedSequence(values=full.values * mask[..., None], mask=mask))
    encoded.square().sum().backward()
    assert torch.isfinite(encoded).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in ours.parameters())
    if pooling in ("mean", "attn"):
        assert not encoded[1].any()


def test_batch_without_any_frame_gives_the_same_vector_for_all():
    empty = PaddedSequence(values=torch.zeros(3, 0, 5), mask=torch.zeros(3, 0, dtype=torch.bool))
    encoded = encoder(stride=4)(empty)
    assert torch.isfinite(encoded).all()
    torch.testing.assert_close(encoded[0], encoded[2])


def test_stride_equals_averaging_beforehand():
    full = sequence(lengths=(12, 8))
    values = full.values.unflatten(1, (3, 4)).mean(dim=2)
    pooled = PaddedSequence(values=values, mask=full.mask[:, ::4])
    ours, theirs = encoder(stride=4), encoder(stride=1)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(full), theirs(pooled))


def test_summary_token_starts_at_zero_and_learns():
    ours = SequenceEncoder(EncoderConfig(width=8, layers=1), input_width=5)
    assert not ours.summary.any()
    ours(sequence()).square().mul(torch.arange(8)).sum().backward()
    assert ours.summary.grad.any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 10}, "multiple of heads=4, got 10"),
        ({"width": 5, "heads": 1}, "even"),
        ({"layers": 0}, "layers"),
        ({"heads": 0}, "heads"),
        ({"pooling": "max"}, "'max'"),
        ({"attention_dropout": 1.0}, "attention_dropout"),
        ({"embedding_dropout": -0.1}, "embedding_dropout"),
    ],
)
def test_config_refuses_what_cannot_be_built(wrong, message):
    with pytest.raises(ValueError, match=message):
        EncoderConfig(**wrong)


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EncoderConfig().width = 3


def test_text_encoder_against_numpy():
    ours = TextEncoder(input_width=5, width=6)
    text = sequence(padding=2)
    linear = ours.head[0]
    values, mask = text.values.numpy(), text.mask.numpy()
    for row, encoded in enumerate(ours(text).detach().numpy()):
        mean = values[row][mask[row]].mean(axis=0)
        hidden = np.maximum(linear.weight.detach().numpy() @ mean + linear.bias.detach().numpy(), 0)
        expected = (hidden - hidden.mean()) / np.sqrt(hidden.var() + 1e-5)
        np.testing.assert_allclose(encoded, expected, rtol=1e-3, atol=1e-4)


def test_text_encoder_without_a_token_is_finite():
    empty = PaddedSequence(values=torch.zeros(2, 3, 5), mask=torch.zeros(2, 3, dtype=torch.bool))
    assert torch.isfinite(TextEncoder(input_width=5, width=6)(empty)).all()
