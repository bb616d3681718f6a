import numpy as np
import pytest
import torch

from models.score_head import ScoreHead


def parameters(head):
    return [value.detach().numpy() for value in head.parameters()]


@pytest.mark.parametrize("rows", [1, 5])
def test_against_numpy(rows):
    head, vectors = ScoreHead(source=6, width=4, dropout=0.5).eval(), torch.randn(rows, 6)
    features, score = (value.detach().numpy() for value in head(vectors))
    weight, bias, inner, inner_bias, outer, outer_bias = parameters(head)
    expected = np.maximum(vectors.numpy() @ weight.T + bias, 0)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-6)
    hidden = np.maximum(expected @ inner.T + inner_bias, 0)
    expected = hidden @ outer.T + outer_bias
    assert score.shape == (rows,)
    np.testing.assert_allclose(score, expected[:, 0], rtol=1e-4, atol=1e-6)


def test_dropout_is_in_front_of_the_features():
    head, vectors = ScoreHead(source=6, width=4, dropout=0.5), torch.ones(400, 6)
    with torch.no_grad():
        head.features[1].weight.fill_(1.0)
        head.features[1].bias.zero_()
    features, _ = head(vectors)
    # ones that survive are doubled, so each sum of six is an even number, 6 on average
    assert torch.equal(features % 2, torch.zeros_like(features))
    assert len(features.unique()) > 4
    assert features.mean().item() == pytest.approx(6, abs=0.5)
