import pytest
import torch
from torch import nn

from models.mind_heads import StatisticsNetwork, code_encoder, decoder, regressor


@pytest.mark.parametrize("form", ["perceptron", "linear"])
def test_codes_have_the_range_of_the_last_activation(form):
    encoder = code_encoder(source=8, target=5, form=form, dropout=0.3)
    codes = encoder(torch.randn(500, 8) * 10)
    assert codes.shape == (500, 5)
    assert -0.1701 < codes.min() < 0
    assert codes.max() > 0.17


def test_a_bottleneck_has_both_signs():
    codes = code_encoder(source=8, target=3, form="bottleneck", dropout=0.0)(torch.randn(500, 8))
    assert codes.shape == (500, 3)
    assert codes.min() < -0.3


@pytest.mark.parametrize(
    ("form", "widths"),
    [
        ("perceptron", [(8, 8), (3, 8)]),
        ("linear", [(3, 8)]),
        ("bottleneck", [(8, 8), (3, 8)]),
    ],
)
def test_linear_maps_of_each_form(form, widths):
    encoder = code_encoder(source=8, target=3, form=form, dropout=0.0)
    assert [part.weight.shape for part in encoder if isinstance(part, nn.Linear)] == widths


def test_code_encoder_drops_out_in_training_only():
    encoder = code_encoder(source=8, target=8, form="perceptron", dropout=0.5)
    x = torch.randn(4, 8)
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
