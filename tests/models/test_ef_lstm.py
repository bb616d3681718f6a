import dataclasses

import numpy as np
import pytest
import torch

from models.base import get
from models.batch import PaddedSequence
from models.ef_lstm import EFLSTM, EFLSTMConfig


def means_by_hand(frames, steps):
    """Mean of frames j/n to (j + 1)/n, each counted by how much of it lies there."""
    found = np.zeros((steps, frames.shape[1]))
    for step in range(steps):
        begin, end = step * len(frames) / steps, (step + 1) * len(frames) / steps
        shares = [max(0.0, min(end, k + 1) - max(begin, k)) for k in range(len(frames))]
        found[step] = np.average(frames, axis=0, weights=shares)
    return found


def valid(batch, name, row):
    sequence = batch.sequences[name]
    return sequence.values[row][sequence.mask[row]].double().numpy()


def states_by_hand(model, batch, words, others):
    """nn.LSTM on the steps of each row alone."""
    states = []
    for row in range(len(batch)):
        text = valid(batch, words, row)
        aligned = [text, *(means_by_hand(valid(batch, m, row), len(text)) for m in others)]
        steps = torch.from_numpy(np.concatenate(aligned, axis=1)).float()
        _, (state, _) = model.lstm(steps[None])
        states.append(state[-1, 0])
    return torch.stack(states)


def test_registered_by_name():
    assert get("ef_lstm") is EFLSTM


@pytest.mark.parametrize("layers", [1, 3])
def test_it_reads_each_word_with_its_share_of_the_frames(make_batch, dimensions, layers):
    batch = make_batch()
    model = EFLSTM(EFLSTMConfig(width=6, layers=layers, dropout=0.4), dimensions).eval()
    output = model(batch)
    expected = states_by_hand(model, batch, "text", ("audio", "vision"))
    for name in ("text", "audio", "vision"):
        torch.testing.assert_close(output.parts["Z"][name], expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(output.prediction, model.head(expected), atol=1e-5, rtol=1e-4)
    assert model.lstm.num_layers == layers


def test_without_text_the_first_modality_stands_for_words(make_batch, dimensions):
    del dimensions["text"]
    batch, model = make_batch(), EFLSTM(EFLSTMConfig(width=6), dimensions).eval()
    expected = states_by_hand(model, batch, "audio", ("vision",))
    torch.testing.assert_close(model(batch).parts["Z"]["vision"], expected, atol=1e-5, rtol=1e-4)


def test_data_that_are_aligned_stay_as_they_are(make_batch, dimensions):
    batch = make_batch()
    mask = batch.sequences["text"].mask
    sequences = {
        name: PaddedSequence(values=torch.randn(*mask.shape, width) * mask[..., None], mask=mask)
        for name, width in dimensions.items()
    }
    model = EFLSTM(EFLSTMConfig(width=6), dimensions).eval()
    found = model(dataclasses.replace(batch, sequences=sequences)).parts["Z"]["text"]
    together = torch.cat([s.values for s in sequences.values()], dim=2)
    for row, length in enumerate(mask.sum(dim=1)):
        _, (state, _) = model.lstm(together[row, :length][None])
        torch.testing.assert_close(found[row], state[0, 0])


@pytest.mark.parametrize("steps", [0, 7])
def test_a_row_without_words_is_one_step_of_means(make_batch, dimensions, steps):
    batch = make_batch()
    text = PaddedSequence(
        values=torch.zeros(8, steps, dimensions["text"]),
        mask=torch.zeros(8, steps, dtype=torch.bool),
    )
    model = EFLSTM(EFLSTMConfig(width=6), dimensions).eval()
    found = model(dataclasses.replace(batch, sequences={**batch.sequences, "text": text})).parts[
        "Z"
    ]["text"]
    for row in range(8):
        means = [valid(batch, name, row).mean(axis=0) for name in ("audio", "vision")]
        step = np.concatenate([np.zeros(dimensions["text"]), *means])
        _, (state, _) = model.lstm(torch.from_numpy(step).float()[None, None])
        torch.testing.assert_close(found[row], state[0, 0], atol=1e-6, rtol=1e-4)


def test_frames_go_to_word_pieces_and_not_to_cls_and_sep(make_batch, dimensions, tiny_bert):
    ids = torch.tensor([[7, 8, 9], [11, 12, 0], [0, 0, 0]])
    batch = dataclasses.replace(make_batch(size=3), token_ids=ids)
    config = EFLSTMConfig(text_model=str(tiny_bert), max_pieces=30, width=6)
    model = EFLSTM(config, dimensions).eval()
    found = model(batch).parts["Z"]["text"]
    text = model.text_reader(batch)
    for row, pieces in enumerate((3, 2, 0)):
        states = text.values[row][text.mask[row]].detach().numpy()
        places = slice(1, pieces + 1) if pieces else slice(0, 1)
        frames = np.zeros((len(states), 9))
        for column, name in ((0, "audio"), (5, "vision")):
            aligned = means_by_hand(valid(batch, name, row), max(pieces, 1))
            frames[places, column : column + aligned.shape[1]] = aligned
        steps = torch.from_numpy(np.concatenate([states, frames], axis=1)).float()
        _, (state, _) = model.lstm(steps[None])
        torch.testing.assert_close(found[row], state[0, 0], atol=1e-5, rtol=1e-4)
