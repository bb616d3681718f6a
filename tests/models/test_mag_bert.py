import dataclasses

import numpy as np
import pytest
import torch

from models.base import get
from models.batch import PaddedSequence
from models.mag_bert import MAGBERT, MAGBERTConfig

DIMENSIONS = {"text": 12, "audio": 5, "vision": 4}


def with_pieces(batch):
    ids = torch.tensor([[7, 8, 9, 10], [11, 12, 13, 0], [14, 15, 0, 0]])
    without = {name: s for name, s in batch.sequences.items() if name != "text"}
    return dataclasses.replace(batch, sequences=without, token_ids=ids)


def shifted_by_hand(gate, words, frames, beta):
    """Equations of the gate, word by word; the frames of word j are those of its share."""
    arrays = {name: value.detach().double().numpy() for name, value in gate.state_dict().items()}
    shifted = np.array(words)
    for place, e in enumerate(words):
        h = np.zeros_like(e)
        for name, values in frames.items():
            # [CLS] and [SEP] stand around the words
            if 0 < place < len(words) - 1:
                size = len(values) / (len(words) - 2)
                begin, end = (place - 1) * size, place * size
                shares = [max(0, min(end, k + 1) - max(begin, k)) for k in range(len(values))]
                a = np.average(values, axis=0, weights=shares)
            else:
                a = np.zeros(values.shape[1])
            g = arrays[f"gates.{name}.weight"] @ np.concatenate([a, e])
            g = np.maximum(g + arrays[f"gates.{name}.bias"], 0)
            h = h + g * (arrays[f"values.{name}.weight"] @ a)
        alpha = min(beta * np.linalg.norm(e) / (np.linalg.norm(h) + 1e-6), 1)
        z = e + alpha * h
        shifted[place] = (z - z.mean()) / np.sqrt(z.var() + 1e-5)
    return shifted


def test_registered_by_name():
    assert get("mag_bert") is MAGBERT


@pytest.mark.parametrize("beta", [0.05, 1.0])
def test_it_is_bert_behind_shifted_embeddings(make_batch, tiny_bert, beta):
    from transformers import BertModel

    batch = with_pieces(make_batch(size=3))
    config = MAGBERTConfig(text_model=str(tiny_bert), max_pieces=30, beta=beta)
    model = MAGBERT(config, DIMENSIONS).eval()
    bert = BertModel.from_pretrained(tiny_bert).eval()
    output = model(batch)
    for row in range(3):
        ids = batch.token_ids[row][batch.token_ids[row] > 0].tolist()
        embedded = bert.embeddings(input_ids=torch.tensor([[101, *ids, 102]]))[0]
        frames = {
            name: sequence.values[row][sequence.mask[row]].double().numpy()
            for name, sequence in batch.sequences.items()
        }
        shifted = shifted_by_hand(model.gate, embedded.detach().double().numpy(), frames, beta)
        hidden = bert.encoder(torch.from_numpy(shifted).float()[None]).last_hidden_state
        pooled = bert.pooler(hidden)[0]
        torch.testing.assert_close(output.parts["Z"]["audio"][row], pooled, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(output.prediction, model.head(output.parts["Z"]["text"]))


def test_frames_change_the_prediction(make_batch, dimensions):
    batch, other = make_batch(), make_batch(seed=1)
    model = MAGBERT(None, dimensions).eval()
    plain = model(batch).prediction
    for name in ("audio", "vision"):
        changed = {**batch.sequences, name: other.sequences[name]}
        found = model(dataclasses.replace(batch, sequences=changed)).prediction
        assert not torch.allclose(found, plain, atol=1e-4), name


def test_text_alone_has_no_gate(make_batch):
    model = MAGBERT(None, {"text": 12}).eval()
    assert model.gate is None
    assert set(model(make_batch()).parts["Z"]) == {"text"}


def test_without_text_windows_of_frames_are_the_words(make_batch, dimensions):
    del dimensions["text"]
    batch, model = make_batch(size=1), MAGBERT(MAGBERTConfig(frame_stride=10), dimensions).eval()
    means = batch.sequences["audio"].values.unflatten(1, (4, 10)).mean(dim=2)
    averaged = PaddedSequence(values=means, mask=torch.ones(1, 4, dtype=torch.bool))
    other = MAGBERT(MAGBERTConfig(frame_stride=1), dimensions).eval()
    other.load_state_dict(model.state_dict())
    beforehand = dataclasses.replace(batch, sequences={**batch.sequences, "audio": averaged})
    torch.testing.assert_close(other(beforehand).prediction, model(batch).prediction)
    assert not torch.allclose(other(batch).prediction, model(batch).prediction, atol=1e-4)


def test_all_of_the_bert_learns_at_the_rate_of_text(make_batch, tiny_bert):
    batch = with_pieces(make_batch(size=3))
    config = MAGBERTConfig(text_model=str(tiny_bert), max_pieces=30, text_rate=0.5)
    model = MAGBERT(config, DIMENSIONS)
    rest, text = model.parameter_groups(1e-3)
    assert text["lr"] == 5e-4
    assert {id(p) for p in text["params"]} == {id(p) for p in model.encoder.parameters()}
    assert len(rest["params"]) + len(text["params"]) == len(list(model.parameters()))
    model.losses(batch, model(batch), 0.5).total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize(
    "wrong", [{"beta": 0.0}, {"frame_stride": 0}, {"transformer_width": 30}, {"head_dropout": 1.0}]
)
def test_values_outside_their_range_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        MAGBERTConfig(**wrong)
