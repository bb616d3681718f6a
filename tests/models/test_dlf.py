import dataclasses

import pytest
import torch
import torch.nn.functional as F

from models.base import get
from models.batch import PaddedSequence
from models.dlf import DLF, DLFConfig
from models.errors import ModelError

SMALL = DLFConfig(
    step_width=8,
    heads=2,
    layers=1,
    self_attention_layers=1,
    attractor_layers=1,
    text_kernel=2,
    audio_kernel=3,
    vision_kernel=1,
    audio_stride=1,
    vision_stride=1,
    output_dropout=0.0,
)
MODALITIES = ("text", "audio", "vision")


def doubled(batch):
    sequences = {
        name: PaddedSequence(values=s.values.double(), mask=s.mask)
        for name, s in batch.sequences.items()
    }
    return dataclasses.replace(batch, sequences=sequences, target=batch.target.double())


def lacking(batch, modality, rows):
    sequence = batch.sequences[modality]
    mask = sequence.mask.clone()
    mask[rows] = False
    empty = PaddedSequence(values=sequence.values * mask[..., None], mask=mask)
    return dataclasses.replace(batch, sequences={**batch.sequences, modality: empty})


def whole(values):
    """One sequence without padding."""
    return PaddedSequence(values=values, mask=torch.ones(values.shape[:2], dtype=torch.bool))


def test_registered_by_name():
    assert get("dlf") is DLF


def test_depths_and_dropouts_of_the_transformers(dimensions):
    config = dataclasses.replace(
        SMALL,
        layers=2,
        attractor_layers=3,
        text_attention_dropout=0.3,
        audio_attention_dropout=0.2,
        vision_attention_dropout=0.1,
    )
    model = DLF(config, dimensions)
    private = model.decoupler.private
    expected = {
        model.decoupler.shared: (2, 0.3),
        private["text"]: (2, 0.3),
        private["audio"]: (2, 0.2),
        private["vision"]: (2, 0.1),
        model.crossmodal["audio_to_text"]: (2, 0.2),
        model.crossmodal["vision_to_text"]: (2, 0.1),
        model.self_attention["text"]: (1, 0.3),
        model.self_attention["audio"]: (3, 0.3),
        model.self_attention["vision"]: (3, 0.3),
        model.shared_attention["audio"]: (1, 0.2),
    }
    assert set(model.crossmodal) == {"audio_to_text", "vision_to_text"}
    for transformer, (depth, rate) in expected.items():
        assert (len(transformer.layers), transformer.layers[0].attention_dropout) == (depth, rate)


def test_prediction_follows_the_wiring_of_each_clip_alone(make_batch, dimensions):
    batch, model = doubled(make_batch()), DLF(SMALL, dimensions).double().eval()
    output = model(batch)
    for row in range(8):
        shared, private = {}, {}
        for name, s in batch.sequences.items():
            convolution = model.convolutions[name].convolution
            frames = s.values[row][s.mask[row]]
            frames = F.pad(frames, (0, 0, 0, max(0, convolution.kernel_size[0] - len(frames))))
            steps = whole(convolution(frames.T[None]).transpose(1, 2))
            shared[name] = whole(model.decoupler.shared(steps))
            private[name] = whole(model.decoupler.private[name](steps))
            for part, found in (("Z", steps), ("S", shared[name]), ("P", private[name])):
                torch.testing.assert_close(output.parts[part][name][row], found.values[0].mean(0))
        seen = {
            "text": private["text"].values,
            "audio": model.crossmodal["audio_to_text"](private["text"], private["audio"]),
            "vision": model.crossmodal["vision_to_text"](private["text"], private["vision"]),
        }
        gated = []
        for name in MODALITIES:
            last = model.self_attention[name](whole(seen[name]))[:, -1]
            head = model.private_heads[name](last)
            torch.testing.assert_close(output.extras[f"private_score_{name}"][row], head.score[0])
            gated.append(torch.sigmoid(model.gates[name](head.features)))
        ends = [model.shared_attention[name](shared[name])[:, -1] for name in MODALITIES]
        gated.append(torch.sigmoid(model.shared_gate(torch.cat(ends, dim=1))))
        expected = model.head(torch.cat(gated, dim=1)).score[0]
        torch.testing.assert_close(output.prediction[row], expected)


def test_total_is_the_authors_sum_with_language_three_times(make_batch, dimensions):
    batch, model = doubled(make_batch()), DLF(SMALL, dimensions).double().eval()
    output = model(batch)
    losses = model.losses(batch, output, 0.5)

    def error(score):
        return (score - batch.target).abs().mean().item()

    scores = {name: output.extras[f"private_score_{name}"] for name in MODALITIES}
    tasks = error(output.prediction) + error(output.extras["shared_score"])
    tasks += 3 * error(scores["text"]) + error(scores["audio"]) + error(scores["vision"])
    names = ("reconstruction", "cycle", "margin", "orthogonality")
    reconstruction, cycle, margin, orthogonality = (losses.terms[name].item() for name in names)
    expected = tasks + 0.1 * (reconstruction + cycle + 0.1 * (margin + orthogonality))
    assert losses.total.item() == pytest.approx(expected)
    assert len(losses.terms) == 5 + 4


def test_other_modalities_are_seen_from_the_steps_of_text(make_batch, dimensions):
    batch, model = make_batch(), DLF(SMALL, dimensions).eval()
    seen = []
    model.self_attention["audio"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    codes = model.decouple(batch)
    model(batch)
    (sequence,) = seen
    assert torch.equal(sequence.mask, codes.private["text"].mask)
    assert sequence.values.shape == codes.private["text"].values.shape


def test_errors_of_heads_need_text_and_the_modality(make_batch, dimensions):
    batch = doubled(lacking(lacking(make_batch(), "audio", [2, 5]), "text", [1]))
    model = DLF(SMALL, dimensions).double().eval()
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    for name, absent in {"text": {1}, "audio": {1, 2, 5}, "vision": {1}}.items():
        rows = [row for row in range(8) if row not in absent]
        error = (output.extras[f"private_score_{name}"] - batch.target)[rows].abs().mean()
        assert losses.terms[f"private_task_{name}"].item() == pytest.approx(error.item()), name


def test_a_modality_that_a_clip_lacks_takes_no_part(make_batch, dimensions):
    batch, model = make_batch(), DLF(SMALL, dimensions).eval()
    absent = lacking(batch, "audio", [0, 3])
    output = model(absent)
    for part in ("S", "P", "Z"):
        assert not output.parts[part]["audio"][[0, 3]].any()
        assert output.parts[part]["text"].any(dim=1).all()
    nothing = model.private_heads["audio"](torch.zeros(1, 8)).score
    scores = output.extras["private_score_audio"]
    torch.testing.assert_close(scores[[0, 3]], nothing.expand(2))
    moved = (output.prediction - model(batch).prediction).abs()
    assert moved[[0, 3]].min() > 1e-5
    assert moved[[1, 2, 4, 5, 6, 7]].max() < 1e-6


def test_every_frame_reaches_the_prediction(make_batch, dimensions):
    batch, model = make_batch(), DLF(SMALL, dimensions).double().eval()
    sequences = {
        name: PaddedSequence(values=s.values.double().requires_grad_(), mask=s.mask)
        for name, s in batch.sequences.items()
    }
    model(dataclasses.replace(batch, sequences=sequences)).prediction.sum().backward()
    for name, sequence in sequences.items():
        reached = sequence.values.grad.abs().amax(dim=2) > 0
        assert torch.equal(reached, sequence.mask), name


def test_decoding_rebuilds_the_mean_step_from_codes_of_any_utterances(make_batch, dimensions):
    model = DLF(SMALL, dimensions).eval()
    parts = model(make_batch()).parts
    swapped = {"S": parts["S"], "P": {name: P.flip(0) for name, P in parts["P"].items()}}
    for name, rebuilt in model.decode(swapped).items():
        weight = model.decoupler.decoders[name].weight
        expected = parts["P"][name].flip(0) @ weight[:, :8].T + parts["S"][name] @ weight[:, 8:].T
        torch.testing.assert_close(rebuilt, expected)


def test_text_alone(make_batch, dimensions):
    batch, model = make_batch(), DLF(SMALL, {"text": dimensions["text"]})
    model.losses(batch, model(batch), 0.5).total.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert len(model.crossmodal) == 0


def test_text_is_needed(dimensions):
    del dimensions["text"]
    with pytest.raises(ModelError, match=r"'dlf' reads text, the data has \['audio', 'vision'\]"):
        DLF(SMALL, dimensions)


def test_bert_inside_is_read_and_trained_at_the_rate_of_the_rest(make_batch, tiny_bert):
    batch = make_batch()
    ids = torch.randint(1, 100, (8, 6)) * (torch.arange(6) < torch.arange(1, 9)[:, None])
    batch = dataclasses.replace(batch, token_ids=ids)
    config = dataclasses.replace(SMALL, text_model=str(tiny_bert), max_pieces=10)
    model = DLF(config, {"text": 1, "audio": 5, "vision": 4})
    model.losses(batch, model(batch), 0.5).total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.text_reader.bert.bert.embeddings.word_embeddings.weight.grad.any()
    rest, text = model.parameter_groups(1e-4)
    assert rest["lr"] == text["lr"] == 1e-4


@pytest.mark.parametrize("wrong", [{"attractor_layers": 0}, {"text_task_weight": -1.0}])
def test_values_outside_their_range_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        DLFConfig(**wrong)
