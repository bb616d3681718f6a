import numpy as np
import torch

from models.residual_head import ResidualHead


def test_formula():
    head = ResidualHead(width=4, dropout=0.5).eval()
    vector = torch.randn(6, 4)
    found = head(vector)
    weights = [p.detach().numpy() for p in head.parameters()]
    inner, inner_bias, outer, outer_bias, score, score_bias = weights
    x = vector.numpy()
    hidden = np.maximum(x @ inner.T + inner_bias, 0.0)
    features = x + hidden @ outer.T + outer_bias
    np.testing.assert_allclose(found.hidden.detach(), hidden, atol=1e-6)
    np.testing.assert_allclose(found.features.detach(), features, atol=1e-6)
    np.testing.assert_allclose(found.score.detach(), features @ score[0] + score_bias, atol=1e-6)
    assert found.score.shape == (6,)


def test_dropout_is_inside_the_block_and_in_training_only():
    head, vector = ResidualHead(width=16, dropout=0.5), torch.randn(8, 16)
    one, two = head(vector), head(vector)
    assert torch.equal(one.hidden, two.hidden)
    assert not torch.equal(one.features, two.features)
    head.eval()
    assert torch.equal(head(vector).score, head(vector).score)
