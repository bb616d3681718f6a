import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from torch import nn

from models.batch import PaddedSequence
from models.recurrent import RecurrentDecoder, RecurrentEncoder, gather_valid

WIDTH = 4


def sequence(*rows, width=3, length=None):
    """One row of 0 and 1 a sequence: which of its steps are valid. Invalid ones are zeros."""
    mask = torch.zeros(len(rows), length or max(map(len, rows)), dtype=torch.bool)
    for number, row in enumerate(rows):
        mask[number, : len(row)] = torch.tensor([step == "1" for step in row], dtype=torch.bool)
    values = torch.zeros(*mask.shape, width)
    values[mask] = torch.randn(int(mask.sum()), width, generator=torch.Generator().manual_seed(1))
    return PaddedSequence(values=values, mask=mask)


def last_states(lstm, given):
    """What the LSTM returns for the valid steps of each row alone."""
    states = []
    for values, mask in zip(given.values, given.mask, strict=True):
        _, (state, _) = lstm(values[mask][None])
        states.append(state[0, 0])
    return torch.stack(states)


@given(
    mask=st.integers(0, 12).flatmap(
        lambda steps: st.lists(
            st.lists(st.booleans(), min_size=steps, max_size=steps), min_size=1, max_size=4
        )
    )
)
@settings(deadline=None, max_examples=50)
def test_gathered_steps_are_the_valid_ones_in_their_order(mask):
    mask = np.array(mask, dtype=bool).reshape(len(mask), -1)
    values = np.arange(1.0, 1 + 2 * mask.size).reshape(*mask.shape, 2)
    gathered, lengths = gather_valid(values=torch.from_numpy(values), mask=torch.from_numpy(mask))
    assert gathered.shape == values.shape
    for number, row in enumerate(mask):
        kept = values[number][row]
        assert lengths[number] == len(kept)
        np.testing.assert_array_equal(gathered[number, : len(kept)].numpy(), kept)
        assert not gathered[number, len(kept) :].any()


@pytest.mark.parametrize("padding", [0, 7])
def test_state_is_the_one_after_the_last_valid_step(padding):
    given = sequence("11111", "0110101", "1", length=7 + padding)
    encoder = RecurrentEncoder(input_width=3, width=WIDTH)
    expected = last_states(encoder.lstm, given)
    torch.testing.assert_close(encoder(given), expected)
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)


def test_stride_equals_averaging_beforehand():
    given = sequence("1" * 12, "1" * 8, length=12)
    means = given.values.unflatten(1, (3, 4)).mean(dim=2)
    encoder = RecurrentEncoder(input_width=3, width=WIDTH, stride=4)
    averaged = PaddedSequence(values=means, mask=given.mask[:, ::4])
    torch.testing.assert_close(encoder(given), last_states(encoder.lstm, averaged))


@pytest.mark.parametrize("stride", [1, 3])
def test_row_without_a_valid_step_is_zero(stride):
    encoder = RecurrentEncoder(input_width=3, width=WIDTH, stride=stride)
    states = encoder(sequence("111", "000"))
    states.square().sum().backward()
    assert states[0].all()
    assert not states[1].any()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())


def test_batch_without_any_step_is_zero():
    states = RecurrentEncoder(input_width=3, width=WIDTH)(sequence("", ""))
    assert torch.equal(states, torch.zeros(2, WIDTH))


def cell_step(cell, given, state, memory):
    """The equations of torch.nn.LSTMCell, gates in the order input, forget, cell, output."""
    weights = {name: value.detach().numpy() for name, value in cell.named_parameters()}
    gates = given @ weights["weight_ih"].T + state @ weights["weight_hh"].T
    enter, forget, candidate, leave = np.split(
        gates + weights["bias_ih"] + weights["bias_hh"], 4, axis=1
    )
    memory = expit(forget) * memory + expit(enter) * np.tanh(candidate)
    return expit(leave) * np.tanh(memory), memory


def test_decoder_runs_on_from_its_own_states():
    decoder, code = RecurrentDecoder(width=WIDTH, output_width=2), torch.randn(3, WIDTH)
    rebuilt = decoder(code, 5).detach().numpy()
    given, state, memory = code.numpy(), np.zeros((3, WIDTH)), np.zeros((3, WIDTH))
    weight, bias = (value.detach().numpy() for value in decoder.output.parameters())
    for step in range(5):
        state, memory = cell_step(decoder.cell, given, state, memory)
        given = state
        np.testing.assert_allclose(rebuilt[:, step], state @ weight.T + bias, rtol=1e-4, atol=1e-6)
    assert np.ptp(rebuilt, axis=1).min() > 1e-4


def test_first_rebuilt_steps_do_not_depend_on_the_length():
    decoder, code = RecurrentDecoder(width=WIDTH, output_width=2), torch.randn(3, WIDTH)
    assert torch.equal(decoder(code, 9)[:, :4], decoder(code, 4))
    assert decoder(code, 0).shape == (3, 0, 2)


def test_decoder_learns_a_sequence_from_its_code():
    decoder, codes = RecurrentDecoder(width=8, output_width=1), torch.eye(2, 8)
    wanted = torch.stack([torch.linspace(-1, 1, 6), torch.linspace(1, -1, 6)])[..., None]
    optimiser = torch.optim.Adam(decoder.parameters(), lr=0.03)
    for _ in range(150):
        loss = nn.functional.mse_loss(decoder(codes, 6), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.01
