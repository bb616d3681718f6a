import math

import numpy as np
import pytest
import torch
from torch import nn

from models.batch import PaddedSequence
from models.crossmodal import CrossmodalLayer, CrossmodalTransformer, attention_mask
from models.mult_config import MulTConfig

WIDTH, HEADS = 8, 2
PLAIN = MulTConfig(
    step_width=WIDTH,
    heads=HEADS,
    text_attention_dropout=0.0,
    embedding_dropout=0.0,
    output_dropout=0.0,
)


def first(lengths, steps):
    return torch.arange(steps) < torch.tensor(lengths)[:, None]


def padded(lengths, steps, seed=0):
    """Random steps of which the first ones of each row are valid; what follows is large."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(len(lengths), steps, WIDTH, generator=generator, dtype=torch.float64)
    mask = first(lengths, steps)
    return PaddedSequence(values=torch.where(mask[..., None], values, 50.0 * values), mask=mask)


def randomise(module):
    generator = torch.Generator().manual_seed(5)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.4, generator=generator)
    return module.double().eval()


def numbers(module):
    return (parameter.detach().numpy() for parameter in module.parameters())


def normalised(step, norm):
    weight, bias = numbers(norm)
    return (step - step.mean()) / np.sqrt(step.var() + 1e-5) * weight + bias


def dense_layer(layer, target, source, first_allowed, causal):
    """One utterance without padding: a loop over queries, heads and the keys each may look at."""
    query_weight, query_bias = numbers(layer.query)
    kv_weight, kv_bias = numbers(layer.key_value)
    out_weight, out_bias = numbers(layer.attention_output)
    norm, inner, _, _, outer = layer.feedforward
    size = WIDTH // HEADS
    keyed = [kv_weight @ normalised(step, layer.norm) + kv_bias for step in source]
    rows = []
    for i, step in enumerate(target):
        query = query_weight @ normalised(step, layer.norm) + query_bias
        allowed = [j for j in range(len(source)) if not causal or j <= i + first_allowed]
        heads = []
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            scores = [query[part] @ keyed[j][:WIDTH][part] / math.sqrt(size) for j in allowed]
            weights = np.exp(scores) / np.sum(np.exp(scores))
            values = [keyed[j][WIDTH:][part] for j in allowed]
            heads.append(sum(w * v for w, v in zip(weights, values, strict=True)))
        hidden = step + out_weight @ np.concatenate(heads) + out_bias
        (w1, b1), (w2, b2) = numbers(inner), numbers(outer)
        rows.append(hidden + w2 @ np.maximum(w1 @ normalised(hidden, norm) + b1, 0) + b2)
    return np.array(rows)


@pytest.mark.parametrize("future_mask", [False, True])
def test_layer_equals_a_dense_loop_over_each_clip_alone(future_mask):
    targets, sources = (7, 3, 4, 1, 5), (4, 6, 4, 5, 1)
    layer = randomise(CrossmodalLayer(PLAIN, width=WIDTH, attention_dropout=0.0))
    target, source = padded(targets, 9), padded(sources, 8, seed=1)
    allowed = attention_mask(queries=target.mask, keys=source.mask, future_mask=future_mask)
    found = layer(target.values, source.values, allowed).detach().numpy()
    for row, (n, m) in enumerate(zip(targets, sources, strict=True)):
        expected = dense_layer(
            layer,
            target.values[row, :n].numpy(),
            source.values[row, :m].numpy(),
            abs(m - n),
            future_mask,
        )
        np.testing.assert_allclose(found[row, :n], expected, rtol=1e-9, atol=1e-10)


def test_transformer_equals_dense_layers_on_embedded_steps():
    targets, sources = (5, 2), (3, 6)
    transformer = CrossmodalTransformer(PLAIN, width=WIDTH, layers=3, attention_dropout=0.0)
    randomise(transformer)
    target, source = padded(targets, 6), padded(sources, 7, seed=1)
    found = transformer(target, source).detach().numpy()

    def embedded(values):
        rates = 10000.0 ** (-np.arange(WIDTH // 2) / (WIDTH // 2))
        angles = np.arange(len(values))[:, None] * rates
        return values * math.sqrt(WIDTH) + np.hstack([np.sin(angles), np.cos(angles)])

    for row, (n, m) in enumerate(zip(targets, sources, strict=True)):
        hidden = embedded(target.values[row, :n].numpy())
        given = embedded(source.values[row, :m].numpy())
        for layer in transformer.layers:
            hidden = dense_layer(layer, hidden, given, abs(m - n), True)
        expected = np.array([normalised(step, transformer.norm) for step in hidden])
        # angles of positions are single precision
        np.testing.assert_allclose(found[row, :n], expected, rtol=1e-4, atol=1e-5)


def test_without_a_source_steps_look_at_themselves_and_not_ahead():
    transformer = CrossmodalTransformer(PLAIN, width=WIDTH, layers=2, attention_dropout=0.0)
    randomise(transformer)
    target = padded((6, 4), 7)
    plain = transformer(target)
    hidden = transformer._embed(target.values).detach().numpy()[1, :4]
    for layer in transformer.layers:
        hidden = dense_layer(layer, hidden, hidden, 0, True)
    expected = np.array([normalised(step, transformer.norm) for step in hidden])
    np.testing.assert_allclose(plain[1, :4].detach().numpy(), expected, rtol=1e-9, atol=1e-10)
    values = target.values.clone()
    values[0, 3, 0] += 1
    moved = (transformer(PaddedSequence(values=values, mask=target.mask)) - plain).abs().amax(2)
    assert not moved[0, :3].any()
    assert (moved[0, 3:6] > 1e-6).all()
    assert not moved[1].any()


def authors_mask(queries, keys):
    """The upper triangle of the authors' code for one clip, True where nothing is added."""
    return np.triu(np.ones((queries, keys)), 1 + abs(queries - keys)) == 0


@pytest.mark.parametrize(("queries", "keys"), [(4, 4), (6, 2), (2, 6), (1, 5), (5, 1)])
def test_mask_of_the_future_is_the_authors_on_true_lengths(queries, keys):
    mask = attention_mask(queries=first([queries], 8), keys=first([keys], 7), future_mask=True)
    np.testing.assert_array_equal(mask[0, :queries, :keys].numpy(), authors_mask(queries, keys))
    assert not mask[0, :, keys:].any()
    assert mask.any(dim=2).all()


def test_mask_without_the_future_is_the_padding():
    keys = first([3, 0, 5], 5)
    mask = attention_mask(queries=first([2, 2, 4], 4), keys=keys, future_mask=False)
    assert torch.equal(mask, keys[:, None, :].expand(3, 4, 5))


def test_a_source_without_steps_gives_nothing():
    transformer = CrossmodalTransformer(PLAIN, width=WIDTH, layers=2, attention_dropout=0.0)
    randomise(transformer)
    target, source = padded((5, 5), 6), padded((0, 4), 6, seed=1)
    source.values.requires_grad_()
    found = transformer(target, source)
    found.square().sum().backward()
    assert torch.isfinite(found).all()
    assert not source.values.grad[0].any()
    assert source.values.grad[1, :4].any()
    assert not source.values.grad[1, 4:].any()


@pytest.mark.parametrize(
    "name", ["attention_dropout", "embedding_dropout", "feedforward_dropout", "residual_dropout"]
)
def test_each_dropout_acts_in_training_only(name):
    settings = {} if name == "attention_dropout" else {name: 0.5}
    config = MulTConfig(step_width=WIDTH, heads=HEADS, **settings)
    rate = 0.5 if name == "attention_dropout" else 0.0
    transformer = CrossmodalTransformer(config, width=WIDTH, layers=1, attention_dropout=rate)
    transformer.double()
    target, source = padded((4, 4), 4), padded((5, 5), 5, seed=1)
    assert not torch.equal(transformer(target, source), transformer(target, source))
    transformer.eval()
    assert torch.equal(transformer(target, source), transformer(target, source))
