import torch
from torch import nn

from models.mind_heads import StatisticsNetwork, code_encoder, decoder, regressor


def test_codes_have_the_range_of_the_last_activation():
    codes = code_encoder(width=8, dropout=0.3)(torch.randn(500, 8) * 10)
    assert codes.shape == (500, 8)
    assert codes.min() > -0.17
    assert codes.max() > 0.17


def test_code_encoder_drops_out_in_training_only():
    encoder, x = code_encoder(width=8, dropout=0.5), torch.randn(4, 8)
    assert not torch.equal(encoder(x), encoder(x))
    encoder.eval()
    assert torch.equal(encoder(x), encoder(x))


def test_decoder_widths():
    widths = [m.weight.shape for m in decoder(source=6, hidden=5, target=2) if hasattr(m, "weight")]
    assert widths == [(5, 6), (2, 5)]


def test_regressor_gives_one_score_a_row():
    for rows in (1, 3):
        assert regressor(source=6, hidden=4, dropout=0.1)(torch.randn(rows, 6)).shape == (rows,)


def test_statistics_network_scores_pairs_on_both_inputs():
    network = StatisticsNetwork(x_width=3, z_width=2, hidden=16)
    x, z = torch.randn(5, 3, requires_grad=True), torch.randn(5, 2, requires_grad=True)
    scores = network(x, z)
    gradients = torch.autograd.grad(scores.sum(), [x, z])
    assert scores.shape == (5,)
    assert all(gradient.any() for gradient in gradients)
    linears = [part for part in network.network if isinstance(part, nn.Linear)]
    assert [(part.in_features, part.out_features) for part in linears] == [
        (5, 16),
        (16, 16),
        (16, 1),
    ]
