import dataclasses

import pytest
import torch

from models.batch import PaddedSequence
from models.text_transformer import FeatureTransformer
from models.transformer import TransformerLayer, sinusoidal_positions

WIDTH = 8


@pytest.fixture
def encoder(dimensions):
    built = FeatureTransformer(
        modality="text",
        input_width=dimensions["text"],
        width=WIDTH,
        layers=2,
        heads=2,
        dropout=0.0,
    )
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return built


def run(encoder, batch):
    text = encoder.embed(batch)
    return encoder.pool(encoder.encode(text.values, text.mask), text.mask)


def with_text(batch, values, mask):
    sequences = {**batch.sequences, "text": PaddedSequence(values=values, mask=mask)}
    return dataclasses.replace(batch, sequences=sequences)


def test_embeddings_are_normalised_features_with_positions(encoder, make_batch):
    batch = make_batch()
    text = batch.sequences["text"]
    embedded = encoder.embed(batch)
    weight, bias = encoder.projection.weight, encoder.projection.bias
    codes = sinusoidal_positions(length=text.mask.shape[1], width=WIDTH, like=text.values)
    expected = torch.nn.functional.layer_norm(
        text.values @ weight.T + bias + codes,
        (WIDTH,),
        encoder.embedding_norm.weight,
        encoder.embedding_norm.bias,
    )
    torch.testing.assert_close(embedded.values, expected)
    assert torch.equal(embedded.mask, text.mask)
    assert torch.equal(embedded.pieces, text.mask)


def test_each_row_is_encoded_as_it_would_be_alone(encoder, make_batch):
    batch = make_batch()
    text = batch.sequences["text"]
    together = run(encoder, batch)
    for row in range(len(batch)):
        steps = int(text.mask[row].sum())
        hidden = encoder.embed(batch).values[row : row + 1, :steps]
        for layer in encoder.layers:
            assert isinstance(layer, TransformerLayer)
            hidden = layer(hidden, torch.ones(1, steps, dtype=torch.bool))
        alone = encoder.norm(hidden)[0].mean(dim=0)
        torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=1e-4)
    assert (together[0] - together[1]).abs().max() > 1e-2


def test_what_is_added_to_the_embeddings_reaches_the_vector(encoder, make_batch):
    text = encoder.embed(make_batch())
    shift = torch.zeros_like(text.values, requires_grad=True)
    encoder.pool(encoder.encode(text.values + shift, text.mask), text.mask).sum().backward()
    reached = shift.grad.abs().sum(dim=2) > 0
    assert torch.equal(reached, text.mask)


@pytest.mark.parametrize("steps", [0, 4])
def test_rows_without_a_step_are_zero(encoder, make_batch, steps):
    batch = make_batch(size=3)
    values = torch.zeros(3, steps, batch.sequences["text"].values.shape[2])
    mask = torch.zeros(3, steps, dtype=torch.bool)
    mask[1:] = True
    vectors = run(encoder, with_text(batch, values, mask))
    vectors.square().sum().backward()
    assert torch.isfinite(vectors).all()
    assert not vectors[0].any()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters() if p.grad is not None)


def test_dropout_acts_in_training_only(dimensions, make_batch):
    encoder = FeatureTransformer(
        modality="text", input_width=dimensions["text"], width=WIDTH, layers=1, heads=2, dropout=0.5
    )
    batch = make_batch()
    assert not torch.equal(run(encoder, batch), run(encoder, batch))
    encoder.eval()
    assert torch.equal(run(encoder, batch), run(encoder, batch))


def test_another_modality_can_be_read(dimensions, make_batch):
    encoder = FeatureTransformer(
        modality="audio",
        input_width=dimensions["audio"],
        width=WIDTH,
        layers=1,
        heads=2,
        dropout=0.0,
    )
    batch = make_batch()
    assert torch.equal(encoder.embed(batch).mask, batch.sequences["audio"].mask)
    assert run(encoder, batch).shape == (len(batch), WIDTH)
