import numpy as np
import pytest
import torch
from scipy.special import erf, softmax

from models.attention_layer import AttentionLayer, attend


def dense_attention(query, key, value, heads, keys):
    """Equation 1 of Vaswani et al., one row, head and query at a time."""
    found = np.zeros_like(query)
    width = query.shape[2] // heads
    for row in range(len(query)):
        there = np.flatnonzero(keys[row])
        for head in range(heads):
            columns = slice(head * width, (head + 1) * width)
            for step in range(query.shape[1]):
                scores = key[row, there, columns] @ query[row, step, columns] / np.sqrt(width)
                found[row, step, columns] = softmax(scores) @ value[row, there, columns]
    return found


def normed(values, norm):
    centred = values - values.mean(-1, keepdims=True)
    unit = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-5)
    return unit * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def linear(values, layer):
    bias = 0.0 if layer.bias is None else layer.bias.detach().numpy()
    return values @ layer.weight.detach().numpy().T + bias


def perturbed(module):
    """Norms that do not start as the identity, so that their weights count."""
    for parameter in module.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return module


def test_attention_is_the_dense_loop():
    query, key, value = (torch.randn(3, length, 8).double() for length in (4, 6, 6))
    keys = torch.arange(6) < torch.tensor([6, 1, 4])[:, None]
    found = attend(query=query, key=key, value=value, heads=2, keys=keys).numpy()
    expected = dense_attention(*(x.numpy() for x in (query, key, value)), 2, keys.numpy())
    np.testing.assert_allclose(found, expected)
    without = attend(query=query, key=key, value=value, heads=2).numpy()
    everywhere = np.ones((3, 6), dtype=bool)
    expected = dense_attention(*(x.numpy() for x in (query, key, value)), 2, everywhere)
    np.testing.assert_allclose(without, expected)


@pytest.mark.parametrize("crossed", [True, False])
def test_layer_is_attention_and_feed_forward_around_residuals(crossed):
    layer = AttentionLayer(width=6, heads=2, head_width=5, feedforward_width=7, dropout=0.0)
    perturbed(layer.double())
    target, source = torch.randn(2, 4, 6).double(), torch.randn(2, 5, 6).double()
    keys = torch.tensor([[True, True, False, True, False], [False, False, False, True, True]])
    if not crossed:
        source, keys = target, keys[:, :4]
    query = linear(normed(target.numpy(), layer.target_norm), layer.query)
    key, value = np.split(
        linear(normed(source.numpy(), layer.source_norm), layer.key_value), 2, axis=2
    )
    found = dense_attention(query, key, value, 2, keys.numpy())
    hidden = target.numpy() + linear(found, layer.output[0])
    norm, first, _, _, second, _ = layer.feedforward
    inside = linear(normed(hidden, norm), first)
    inside = inside * (1 + erf(inside / np.sqrt(2))) / 2
    given = layer(target, source if crossed else None, keys=keys)
    np.testing.assert_allclose(given.detach().numpy(), hidden + linear(inside, second), atol=1e-12)


def test_dropout_acts_in_training_only():
    layer = AttentionLayer(width=6, heads=2, head_width=5, feedforward_width=7, dropout=0.5)
    steps = torch.randn(2, 4, 6)
    assert not torch.equal(layer(steps), layer(steps))
    layer.eval()
    assert torch.equal(layer(steps), layer(steps))
