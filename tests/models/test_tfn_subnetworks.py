import numpy as np
import torch

from models.batch import PaddedSequence
from models.tfn_subnetworks import FrameSubnetwork, TextSubnetwork, fusion_head

MASK = torch.tensor([[1, 1, 0, 1, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool)


def sequence(width=4, mask=MASK):
    values = torch.randn(*mask.shape, width, generator=torch.Generator().manual_seed(2))
    return PaddedSequence(values=values * mask[..., None], mask=mask)


def relu_layers(network, vector):
    for layer in network:
        if isinstance(layer, torch.nn.Linear):
            vector = vector @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
            vector = np.maximum(vector, 0)
    return vector


def test_frames_are_averaged_normalised_over_the_batch_and_mapped():
    given, network = sequence(), FrameSubnetwork(input_width=4, width=6, dropout=0.0)
    means = np.stack(
        [v[m].numpy().mean(axis=0) for v, m in zip(given.values, given.mask, strict=True)]
    )
    normed = (means - means.mean(axis=0)) / np.sqrt(means.var(axis=0) + 1e-5)
    expected = relu_layers(network.layers, normed)
    found = network(given).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert found.any()


def test_what_is_known_of_the_batches_is_used_in_evaluation_and_for_a_single_row():
    network = FrameSubnetwork(input_width=4, width=6, dropout=0.0)
    for _ in range(60):
        network(sequence())
    whole = network.eval()(sequence())
    one = PaddedSequence(values=sequence().values[:1], mask=MASK[:1])
    torch.testing.assert_close(network(one), whole[:1])
    torch.testing.assert_close(network.train()(one), whole[:1])
    assert network.norm.running_mean.any()


def test_a_row_without_frames_has_the_mean_of_standardised_ones():
    mask = MASK.clone()
    mask[1] = False
    network = FrameSubnetwork(input_width=4, width=6, dropout=0.0).eval()
    zeros = PaddedSequence(values=torch.zeros(3, 5, 4), mask=MASK)
    torch.testing.assert_close(network(sequence(mask=mask))[1], network(zeros)[1])


def test_text_is_read_by_an_lstm_without_its_padding():
    network, given = TextSubnetwork(input_width=4, state_width=5, width=3, dropout=0.0), sequence()
    lstm, linear = network[0].lstm, network[2]
    for row, (values, mask) in enumerate(zip(given.values, given.mask, strict=True)):
        _, (state, _) = lstm(values[mask][None])
        torch.testing.assert_close(network(given)[row], linear(state[0, 0]))


def test_head_is_two_layers_and_a_linear_one():
    head, vector = fusion_head(source=4, width=5, dropout=0.5).eval(), torch.randn(3, 4)
    hidden = relu_layers(list(head)[:-2], vector.numpy())
    last = head[-2]
    expected = hidden @ last.weight.detach().numpy()[0] + last.bias.item()
    np.testing.assert_allclose(head(vector).detach().numpy(), expected, rtol=1e-4, atol=1e-6)
