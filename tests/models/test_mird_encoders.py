import dataclasses

import pytest
import torch

from models.batch import PaddedSequence
from models.mird_config import MIRDConfig
from models.mird_encoders import MIRDEncoders

SMALL = MIRDConfig(width=8, text_width=16, audio_stride=4, vision_stride=3)


def build(dimensions, **changed):
    return MIRDEncoders(dataclasses.replace(SMALL, **changed), dimensions).eval()


def without(sequence):
    return PaddedSequence(
        values=torch.zeros_like(sequence.values), mask=torch.zeros_like(sequence.mask)
    )


def moved_by(modality, module, batch):
    """Which codes change with a modality."""
    shared, private = module(batch)
    changed = {**batch.sequences, modality: without(batch.sequences[modality])}
    other_shared, other = module(dataclasses.replace(batch, sequences=changed))
    found = {name for name in private if not torch.equal(private[name], other[name])}
    return found | (set() if torch.equal(shared, other_shared) else {"shared"})


@pytest.mark.parametrize("attention", ["sparsemax", "softmax", "aligned"])
def test_each_code_reads_its_modality_and_the_shared_one_all(dimensions, make_batch, attention):
    module = build(dimensions, attention=attention)
    for name in dimensions:
        assert moved_by(name, module, make_batch()) == {name, "shared"}


def test_without_attention_the_shared_code_reads_the_text_alone(dimensions, make_batch):
    module = build(dimensions, attention="none")
    assert moved_by("text", module, make_batch()) == {"text", "shared"}
    for name in ("audio", "vision"):
        assert moved_by(name, module, make_batch()) == {name}


def test_without_text_the_first_modality_stands_for_it(dimensions, make_batch):
    module = build({name: dimensions[name] for name in ("audio", "vision")})
    shared, private = module(make_batch())
    assert shared.shape == (8, 8)
    assert set(private) == {"audio", "vision"}
    assert moved_by("vision", module, make_batch()) == {"vision", "shared"}
    assert module.language_encoder is None


def test_frames_are_averaged_before_everything(dimensions, make_batch):
    batch, module = make_batch(), build(dimensions)
    frames = module.frames(batch)
    assert {name: s.mask.shape[1] for name, s in frames.items()} == {
        "text": 7,
        "audio": 10,
        "vision": 6,
    }
    sequence = batch.sequences["audio"]
    expected = sequence.values[0, 4:8].mean(dim=0)
    torch.testing.assert_close(frames["audio"].values[0, 1], expected)
    unstrided = build(dimensions, audio_stride=1, vision_stride=1)
    unstrided.load_state_dict(module.state_dict())
    torch.testing.assert_close(
        unstrided(dataclasses.replace(batch, sequences=frames)), module(batch)
    )


def test_codes_of_frames_are_a_linear_map_of_the_last_state(dimensions, make_batch):
    batch, module = make_batch(), build(dimensions, audio_stride=1)
    sequence = batch.sequences["audio"]
    recurrence, linear = module.codes["audio"]
    _, private = module(batch)
    for row in range(3):
        length = int(sequence.mask[row].sum())
        _, (last, _) = recurrence.lstm(sequence.values[row : row + 1, :length])
        torch.testing.assert_close(private["audio"][row], linear(last[0, 0]))


@pytest.mark.parametrize("kind", ["own", "shared", "lstm"])
def test_language_encoders(dimensions, make_batch, kind):
    module = build(dimensions, language_encoder=kind)
    assert moved_by("text", module, make_batch()) == {"text", "shared"}
    names = {name.split(".")[0] for name, _ in module.named_parameters()}
    assert ("language_encoder" in names) == (kind == "own")
    sizes = {id(p) for p in module.text_parameters()}
    expected = {
        id(p)
        for name, p in module.named_parameters()
        if name.startswith(("shared_encoder.", "language_encoder."))
    }
    assert sizes == expected


def test_one_encoder_for_both_reads_words_that_were_not_shifted(dimensions, make_batch):
    batch, module = make_batch(), build(dimensions, language_encoder="shared")
    text, encoder = batch.sequences["text"], module.shared_encoder
    words = encoder.embed(batch)
    pooled = encoder.pool(encoder.encode(words.values, text.mask), text.mask)
    _, private = module(batch)
    torch.testing.assert_close(private["text"], module.codes["text"](pooled))


@pytest.mark.parametrize("kind", ["own", "shared", "lstm"])
def test_bert_inside(make_batch, tiny_bert, kind):
    batch = make_batch()
    ids = torch.randint(1, 100, (8, 6)) * (torch.arange(6) < torch.arange(1, 9)[:, None])
    sequences = {name: batch.sequences[name] for name in ("audio", "vision")}
    batch = dataclasses.replace(batch, sequences=sequences, token_ids=ids)
    module = build(
        {"text": 1, "audio": 5, "vision": 4},
        text_model=str(tiny_bert),
        max_pieces=6,
        language_encoder=kind,
    )
    assert module.vocabulary_size == 120
    assert torch.equal(module.token_ids(batch), ids)
    shared, private = module(batch)
    assert set(module.frames(batch)) == {"audio", "vision"}
    assert moved_by("audio", module, batch) == {"audio", "shared"}
    other = dataclasses.replace(batch, token_ids=ids.roll(1, dims=0))
    other_shared, others = module(other)
    assert not torch.equal(shared, other_shared)
    assert not torch.equal(private["text"], others["text"])
    assert torch.equal(private["audio"], others["audio"])
    (shared.sum() + sum(code.sum() for code in private.values())).backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())
