import dataclasses

import numpy as np
import pytest
import torch

from models.almt import ALMT
from models.almt_config import ALMTConfig
from models.base import get
from models.batch import PaddedSequence

SMALL = ALMTConfig(
    width=8,
    tokens=3,
    heads=2,
    head_width=4,
    hyper_head_width=5,
    feedforward_width=6,
    audio_stride=1,
    vision_stride=1,
)
MODALITIES = ("text", "audio", "vision")


def lacking(batch, modality, rows):
    sequence = batch.sequences[modality]
    mask = sequence.mask.clone()
    mask[rows] = False
    empty = PaddedSequence(values=sequence.values * mask[..., None], mask=mask)
    return dataclasses.replace(batch, sequences={**batch.sequences, modality: empty})


def test_registered_by_name():
    assert get("almt") is ALMT


def test_sizes_are_those_of_the_configuration(dimensions):
    config = dataclasses.replace(SMALL, embedding_layers=2, hyper_layers=4, fusion_layers=3)
    model = ALMT(config, dimensions)
    assert (len(model.language), len(model.hyper_layers), len(model.fusion)) == (3, 4, 3)
    for name, embedding in model.embeddings.items():
        assert len(embedding.layers) == 2
        assert embedding.projection.in_features == dimensions[name]
    for layer in model.hyper_layers:
        assert set(layer.keys_values) == {"audio", "vision"}


@pytest.mark.parametrize("readout", ["token", "mean"])
def test_prediction_follows_the_wiring_of_each_clip_alone(make_batch, dimensions, readout):
    config = dataclasses.replace(SMALL, readout=readout)
    batch, model = make_batch(), ALMT(config, dimensions).eval()
    output = model(batch)
    for row in range(8):
        tokens = {}
        for name, s in batch.sequences.items():
            values = s.values[row][s.mask[row]][None]
            mask = torch.ones(values.shape[:2], dtype=torch.bool)
            tokens[name] = model.embeddings[name](PaddedSequence(values=values, mask=mask))
            torch.testing.assert_close(output.parts["Z"][name][row], tokens[name][0].mean(0))
        first = tokens["text"] + model.language_positions
        second = model.language[0](first)
        third = model.language[1](second)
        hyper = torch.ones(1, 3, 8)
        there = dict.fromkeys(MODALITIES, torch.tensor([True]))
        for layer, scale in zip(model.hyper_layers, (first, second, third), strict=True):
            hyper = layer(hyper, scale, tokens, there)
        zero = torch.zeros(1, 1, 8)
        target = torch.cat([zero, third], dim=1) + model.target_positions
        source = torch.cat([zero, hyper], dim=1) + model.source_positions
        for layer in model.fusion:
            target = layer(target, source)
        fused = target[0, 0] if readout == "token" else target[0].mean(0)
        expected = fused @ model.output.weight[0] + model.output.bias[0]
        torch.testing.assert_close(output.prediction[row], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("readout", "reads"), [("token", False), ("mean", True)])
def test_language_is_nothing_but_queries_for_the_token_in_front(
    make_batch, dimensions, readout, reads
):
    batch = make_batch()
    model = ALMT(dataclasses.replace(SMALL, readout=readout), dimensions).eval()
    for layer in model.hyper_layers:
        layer.query.weight.data.zero_()
    text = batch.sequences["text"]
    other = PaddedSequence(values=text.values.flip(2), mask=text.mask)
    changed = dataclasses.replace(batch, sequences={**batch.sequences, "text": other})
    moved = (model(changed).prediction - model(batch).prediction).abs()
    assert bool((moved > 1e-5).all()) == reads
    assert bool((moved < 1e-6).all()) != reads


def test_loss_is_the_squared_error(make_batch, dimensions):
    batch, model = make_batch(), ALMT(SMALL, dimensions).eval()
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    assert losses.weights == {"task": 1.0}
    error = output.prediction.detach().numpy() - batch.target.numpy()
    assert losses.total.item() == pytest.approx(np.square(error).mean(), rel=1e-5)


def test_every_frame_reaches_the_prediction_and_no_padding_does(make_batch, dimensions):
    batch, model = make_batch(), ALMT(SMALL, dimensions).double().eval()
    sequences = {
        name: PaddedSequence(values=s.values.double().requires_grad_(), mask=s.mask)
        for name, s in batch.sequences.items()
    }
    model(dataclasses.replace(batch, sequences=sequences)).prediction.sum().backward()
    for name, sequence in sequences.items():
        reached = sequence.values.grad.abs().amax(dim=2) > 0
        assert torch.equal(reached, sequence.mask), name


def test_a_modality_that_a_clip_lacks_takes_no_part(make_batch, dimensions):
    model = ALMT(SMALL, dimensions).eval()
    batch = lacking(make_batch(), "audio", slice(0, 3))
    output = model(batch)
    assert not output.parts["Z"]["audio"][:3].any()
    assert output.parts["Z"]["audio"][3:].any(dim=1).all()
    model.embeddings["audio"].tokens.data.neg_()
    moved = (model(batch).prediction - output.prediction).abs() > 1e-6
    assert moved.tolist() == [False] * 3 + [True] * 5


def test_the_first_modality_guides_where_there_is_no_text(make_batch, dimensions):
    del dimensions["text"]
    model, batch = ALMT(SMALL, dimensions), make_batch()
    assert model.guide == "audio"
    assert all(set(layer.keys_values) == {"vision"} for layer in model.hyper_layers)
    assert set(model(batch).parts["Z"]) == {"audio", "vision"}


@pytest.mark.parametrize("modality", MODALITIES)
def test_one_modality_fills_the_hyper_modality_itself(make_batch, dimensions, modality):
    model, batch = ALMT(SMALL, {modality: dimensions[modality]}), make_batch()
    model.losses(batch, model(batch), 0.5).total.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert all(set(layer.keys_values) == {modality} for layer in model.hyper_layers)


def test_bert_inside_is_read_and_trained(make_batch, tiny_bert):
    batch = make_batch()
    ids = torch.randint(1, 100, (8, 6)) * (torch.arange(6) < torch.arange(1, 9)[:, None])
    batch = dataclasses.replace(batch, token_ids=ids)
    config = dataclasses.replace(SMALL, text_model=str(tiny_bert), max_pieces=10)
    model = ALMT(config, {"text": 1, "audio": 5, "vision": 4})
    model.losses(batch, model(batch), 0.5).total.backward()
    assert model.text_reader.bert.bert.embeddings.word_embeddings.weight.grad.any()
    rest, text = model.parameter_groups(1e-4)
    assert rest["lr"] == text["lr"] == 1e-4
