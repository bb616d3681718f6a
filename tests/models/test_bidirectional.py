import pytest
import torch

from models.batch import PaddedSequence
from models.bidirectional import BidirectionalEncoder

WIDTH = 4


def sequence(*rows, width=3, length=None):
    """One row of 0 and 1 a sequence: which of its steps are valid. Invalid ones are zeros."""
    mask = torch.zeros(len(rows), length or max(map(len, rows)), dtype=torch.bool)
    for number, row in enumerate(rows):
        mask[number, : len(row)] = torch.tensor([step == "1" for step in row], dtype=torch.bool)
    values = torch.zeros(*mask.shape, width)
    values[mask] = torch.randn(int(mask.sum()), width, generator=torch.Generator().manual_seed(1))
    return PaddedSequence(values=values, mask=mask)


def both_directions(lstm, values):
    """Run one utterance by itself, each direction through a layer of torch."""
    there, (ahead, _) = lstm.forwards(values[None])
    back, (behind, _) = lstm.backwards(values.flip(0)[None])
    return torch.cat([there[0], back[0].flip(0)], dim=1), torch.cat([ahead[0, 0], behind[0, 0]])


def states_of(encoder, values):
    """Run one utterance by itself through both layers."""
    hidden, first = both_directions(encoder.first, values)
    _, second = both_directions(encoder.second, encoder.norm(hidden))
    return torch.cat([first, second])


@pytest.mark.parametrize("padding", [0, 7])
def test_states_are_those_of_each_row_alone(padding):
    given = sequence("11111", "0110101", "1", length=7 + padding)
    encoder = BidirectionalEncoder(input_width=3, width=WIDTH)
    rows = zip(given.values, given.mask, strict=True)
    expected = torch.stack([states_of(encoder, values[mask]) for values, mask in rows])
    torch.testing.assert_close(encoder(given), expected)
    assert expected.shape == (3, 4 * WIDTH)
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)


def test_stride_equals_averaging_beforehand():
    given = sequence("1" * 12, "1" * 8, length=12)
    encoder = BidirectionalEncoder(input_width=3, width=WIDTH, stride=4)
    means = given.values.unflatten(1, (3, 4)).mean(dim=2)
    expected = torch.stack([states_of(encoder, means[0]), states_of(encoder, means[1, :2])])
    torch.testing.assert_close(encoder(given), expected)


def test_given_lengths_say_what_is_read():
    given = sequence("111111", "0111", "11", length=6)
    encoder = BidirectionalEncoder(input_width=3, width=WIDTH)
    found = encoder(given, torch.tensor([2, 3, 5]))
    expected = [states_of(encoder, row[:n]) for row, n in zip(given.values, (2, 3, 5), strict=True)]
    torch.testing.assert_close(found, torch.stack(expected))


def test_lengths_beyond_the_sequence_read_zeros():
    given = sequence("111")
    encoder = BidirectionalEncoder(input_width=3, width=WIDTH)
    expected = states_of(encoder, torch.cat([given.values[0], torch.zeros(4, 3)]))
    torch.testing.assert_close(encoder(given, torch.tensor([7]))[0], expected)


@pytest.mark.parametrize("lengths", [None, torch.tensor([3, 0])])
def test_row_without_a_step_is_zero(lengths):
    encoder = BidirectionalEncoder(input_width=3, width=WIDTH)
    states = encoder(sequence("111", "000"), lengths)
    states.square().sum().backward()
    assert states[0].all()
    assert not states[1].any()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())


def test_batch_without_any_step_is_zero():
    states = BidirectionalEncoder(input_width=3, width=WIDTH)(sequence("", ""))
    assert torch.equal(states, torch.zeros(2, 4 * WIDTH))
