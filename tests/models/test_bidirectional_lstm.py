import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from models.bidirectional_lstm import BidirectionalLSTM, reverse_rows

WIDTH = 5


def torch_twin(lstm):
    """Give a bidirectional LSTM of torch the same weights."""
    twin = nn.LSTM(
        lstm.forwards.input_size, lstm.forwards.hidden_size, batch_first=True, bidirectional=True
    )
    backwards = {f"{name}_reverse": value for name, value in lstm.backwards.state_dict().items()}
    twin.load_state_dict(lstm.forwards.state_dict() | backwards)
    return twin


@pytest.mark.parametrize("lengths", [[7, 7, 7], [1, 7, 4], [3, 2, 1]])
def test_equals_torch_on_packed_sequences(lengths):
    lstm, values = BidirectionalLSTM(input_width=3, width=WIDTH), torch.randn(3, 7, 3)
    count = torch.tensor(lengths)
    packed = pack_padded_sequence(values, count, batch_first=True, enforce_sorted=False)
    hidden, (last, _) = torch_twin(lstm)(packed)
    expected, _ = pad_packed_sequence(hidden, batch_first=True, total_length=7)
    found, found_last = lstm(values, count)
    valid = torch.arange(7) < count[:, None]
    torch.testing.assert_close(found[valid], expected[valid])
    torch.testing.assert_close(found_last, torch.cat([*last], dim=1))


def test_gradients_equal_those_of_torch():
    lstm, values = BidirectionalLSTM(input_width=3, width=WIDTH), torch.randn(2, 6, 3)
    twin, count = torch_twin(lstm), torch.tensor([6, 2])
    packed = pack_padded_sequence(values, count, batch_first=True)
    torch.cat([*twin(packed)[1][0]], dim=1).square().sum().backward()
    lstm(values, count)[1].square().sum().backward()
    for name, parameter in lstm.forwards.named_parameters():
        torch.testing.assert_close(parameter.grad, twin.get_parameter(name).grad)
    for name, parameter in lstm.backwards.named_parameters():
        torch.testing.assert_close(parameter.grad, twin.get_parameter(f"{name}_reverse").grad)


def test_what_is_behind_the_last_step_changes_nothing():
    lstm, values = BidirectionalLSTM(input_width=3, width=WIDTH), torch.randn(2, 6, 3)
    count = torch.tensor([4, 2])
    expected = lstm(values, count)[1]
    values[0, 4:], values[1, 2:] = 9.0, -9.0
    torch.testing.assert_close(lstm(values, count)[1], expected, rtol=0, atol=0)


def test_row_without_a_step_ends_in_zeros():
    lstm = BidirectionalLSTM(input_width=3, width=WIDTH)
    _, last = lstm(torch.randn(2, 4, 3), torch.tensor([4, 0]))
    assert last[0].all()
    assert not last[1].any()


def test_draws_the_weights_that_torch_draws():
    torch.manual_seed(3)
    lstm = BidirectionalLSTM(input_width=3, width=WIDTH)
    torch.manual_seed(3)
    twin = nn.LSTM(3, WIDTH, batch_first=True, bidirectional=True)
    for ours, theirs in zip(lstm.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_weights_of_torch_are_loaded_inside_a_model():
    lstm = BidirectionalLSTM(input_width=3, width=WIDTH)
    model = nn.Sequential(nn.Linear(3, 3), BidirectionalLSTM(input_width=3, width=WIDTH))
    theirs = nn.Sequential(model[0], torch_twin(lstm)).state_dict()
    assert "1.weight_hh_l0_reverse" in theirs
    model.load_state_dict(theirs)
    values, count = torch.randn(2, 4, 3), torch.tensor([4, 3])
    torch.testing.assert_close(model[1](values, count)[1], lstm(values, count)[1], rtol=0, atol=0)


def test_rows_are_turned_round_up_to_their_length():
    values = torch.arange(1.0, 9.0).reshape(2, 4, 1)
    found = reverse_rows(values=values, lengths=torch.tensor([3, 0]))
    assert found[..., 0].tolist() == [[3, 2, 1, 4], [5, 6, 7, 8]]
    again = reverse_rows(values=found, lengths=torch.tensor([3, 0]))
    assert torch.equal(again, values)
