import dataclasses

import pytest
import torch

from models.base import Output, get
from models.batch import Batch, PaddedSequence
from models.errors import MissingModalityError
from models.mind import MInD, MInDConfig

SMALL = MInDConfig(width=16, statistics_width=32, decoder_width=24, audio_stride=4)
BACKBONES, PRIVATE, SHARED = "backbones", "private_encoders", "shared_encoder"
# What the gradient of each term reaches: exactly the parameters under these names.
REACHED = {
    "task": {BACKBONES, PRIVATE, SHARED, "fusion", "classifier"},
    "noise_prediction": {PRIVATE, "terms.noise_classifier"},
    "info": {
        *(BACKBONES, PRIVATE, SHARED, "terms.shared_statistics"),
        *("terms.private_statistics", "terms.noise_statistics"),
    },
    "consistency": {BACKBONES, SHARED},
    "difference": {BACKBONES, PRIVATE, SHARED},
    "reconstruction": {BACKBONES, PRIVATE, SHARED, "terms.decoders"},
    "cyclic": {
        *(BACKBONES, PRIVATE, SHARED),
        *("terms.features_to_noise", "terms.noise_to_features"),
    },
}
SUBSETS = [
    ("text", "audio"),
    ("text", "vision"),
    ("audio", "vision"),
    ("text",),
    ("audio",),
    ("vision",),
]


def changed(**values):
    return dataclasses.replace(SMALL, **values)


def drop_rows(batch, name, rows):
    sequence = batch.sequences[name]
    mask = sequence.mask.clone()
    mask[rows] = False
    values = sequence.values * mask[..., None]
    sequences = {**batch.sequences, name: PaddedSequence(values=values, mask=mask)}
    return dataclasses.replace(batch, sequences=sequences)


def train(model, batch, steps, learning_rate=1e-3):
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=0.0, fused=True
    )
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, total_iters=steps)
    history = []
    for step in range(steps):
        total = model.losses(batch, model(batch), step / steps).total
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        decay.step()
        history.append(total.item())
    return history


def mean_absolute_error(model, batch):
    model.eval()
    with torch.no_grad():
        return (model(batch).prediction - batch.target).abs().mean().item()


def test_registered_by_name():
    assert get("mind") is MInD


def test_parts_have_the_common_width(make_batch, dimensions):
    output = MInD(SMALL, dimensions)(make_batch(size=5))
    assert output.prediction.shape == (5,)
    assert set(output.parts) == {"S", "P", "N", "Z"}
    for codes in output.parts.values():
        assert {name: code.shape for name, code in codes.items()} == dict.fromkeys(
            ("text", "audio", "vision"), (5, 16)
        )
    assert output.extras["noise"].shape == (3, 5, 16)


@pytest.mark.parametrize("term", sorted(REACHED))
def test_gradient_of_each_term_reaches_exactly_its_parameters(make_batch, dimensions, term):
    batch = make_batch(size=16)
    model = MInD(SMALL, dimensions)
    model.losses(batch, model(batch), 0.5).terms[term].backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None}
    prefixes = tuple(f"{prefix}." for prefix in REACHED[term])
    assert reached == {name for name, _ in model.named_parameters() if name.startswith(prefixes)}
    for prefix in prefixes:
        under = [p for name, p in model.named_parameters() if name.startswith(prefix)]
        assert any(p.grad.abs().sum() > 0 for p in under), prefix


def test_every_term_is_in_the_table(make_batch, dimensions):
    batch = make_batch()
    model = MInD(SMALL, dimensions)
    losses = model.losses(batch, model(batch), 0.5)
    assert losses.terms.keys() == REACHED.keys()
    assert losses.weights == {"task": 1.0} | SMALL.term_weights


@pytest.mark.parametrize("modalities", SUBSETS)
def test_subsets_of_modalities(make_batch, dimensions, modalities):
    batch = make_batch()
    model = MInD(SMALL, {name: dimensions[name] for name in modalities})
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    losses.total.backward()
    assert set(output.parts["S"]) == set(modalities)
    without = {"consistency"} if len(modalities) == 1 else set()
    assert losses.terms.keys() == REACHED.keys() - without
    absent = {"text", "audio", "vision"} - set(modalities)
    assert not any(name.split(".")[1] in absent for name, _ in model.named_parameters())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_evaluation_draws_noise_that_the_prediction_ignores(make_batch, dimensions):
    batch = make_batch()
    model = MInD(SMALL, dimensions).eval()
    first, second = model(batch), model(batch)
    assert torch.equal(first.prediction, second.prediction)
    assert not torch.equal(first.parts["N"]["text"], second.parts["N"]["text"])


def test_padding_changes_nothing(make_batch, dimensions):
    batch = make_batch()
    padded = {
        name: PaddedSequence(
            values=torch.nn.functional.pad(s.values, (0, 0, 0, 13)),
            mask=torch.nn.functional.pad(s.mask, (0, 13)),
        )
        for name, s in batch.sequences.items()
    }
    model = MInD(SMALL, dimensions).eval()
    plain, other = model(batch), model(dataclasses.replace(batch, sequences=padded))
    torch.testing.assert_close(other.prediction, plain.prediction, atol=1e-5, rtol=1e-5)


def test_rows_can_be_reordered(make_batch, dimensions):
    batch = make_batch()
    order = torch.randperm(len(batch))
    turned = Batch(
        sequences={
            name: PaddedSequence(values=s.values[order], mask=s.mask[order])
            for name, s in batch.sequences.items()
        },
        target=batch.target[order],
        has_target=batch.has_target[order],
        index=batch.index[order],
    )
    model = MInD(SMALL, dimensions).eval()
    plain, other = model(batch), model(turned)
    torch.testing.assert_close(other.prediction, plain.prediction[order])
    for part in "SPZ":
        for name, code in plain.parts[part].items():
            torch.testing.assert_close(other.parts[part][name], code[order])


def test_order_of_modalities_changes_nothing(make_batch, dimensions):
    batch = make_batch()
    turned = dataclasses.replace(batch, sequences=dict(reversed(batch.sequences.items())))
    results = []
    for widths, given in ((dimensions, batch), (dict(reversed(dimensions.items())), turned)):
        torch.manual_seed(3)
        model = MInD(SMALL, widths)
        output = model(given)
        results.append((output.prediction, model.losses(given, output, 0.5).total))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize("rows", [[2], [0, 1, 2, 3, 4, 5, 6, 7]])
@pytest.mark.parametrize("name", ["text", "audio", "vision"])
def test_rows_without_a_modality_are_finite(make_batch, dimensions, name, rows):
    batch = drop_rows(make_batch(), name, rows)
    model = MInD(SMALL, dimensions)
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    losses.total.backward()
    assert torch.isfinite(output.prediction).all()
    assert all(torch.isfinite(term) for term in losses.terms.values())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_single_row_trains_without_the_terms_that_compare_rows(make_batch, dimensions):
    batch = make_batch(size=1)
    model = MInD(SMALL, dimensions)
    losses = model.losses(batch, model(batch), 0.5)
    losses.total.backward()
    zero = {name for name, term in losses.terms.items() if term.item() == 0}
    assert zero == {"info", "consistency", "difference"}
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_unlabelled_batch_still_trains_the_other_terms(make_batch, dimensions):
    batch = make_batch()
    batch = dataclasses.replace(batch, has_target=torch.zeros(8, dtype=torch.bool))
    model = MInD(SMALL, dimensions)
    losses = model.losses(batch, model(batch), 0.5)
    losses.total.backward()
    assert losses.terms["task"].item() == losses.terms["noise_prediction"].item() == 0
    assert not model.classifier[0].weight.grad.any()
    assert model.shared_encoder[0].weight.grad.any()


def test_missing_modality_is_named(make_batch, dimensions):
    batch = make_batch()
    lacking = dataclasses.replace(batch, sequences={"text": batch.sequences["text"]})
    with pytest.raises(MissingModalityError, match=r"lacks \['audio', 'vision'\]"):
        MInD(SMALL, dimensions)(lacking)


@pytest.mark.parametrize("name", sorted(SMALL.term_weights))
def test_weight_zero_removes_a_term_from_the_total_alone(make_batch, dimensions, name):
    batch = make_batch()
    full, ablated = (
        MInD(config, dimensions).eval() for config in (SMALL, changed(**{f"{name}_weight": 0.0}))
    )
    assert full.state_dict().keys() == ablated.state_dict().keys()
    ablated.load_state_dict(full.state_dict())
    output = full(batch)
    a, b = (model.losses(batch, output, 0.5) for model in (full, ablated))
    torch.testing.assert_close(a.terms, b.terms)
    weighted = SMALL.term_weights[name] * a.terms[name].item()
    assert a.total.item() - b.total.item() == pytest.approx(weighted, abs=1e-4)
    assert weighted > 1e-4


@pytest.mark.parametrize(("part", "silent"), [("S", SHARED), ("P", PRIVATE)])
def test_muted_part_does_not_reach_the_prediction(make_batch, dimensions, part, silent):
    batch = make_batch()
    model = MInD(changed(muted=part), dimensions)
    output = model(batch)
    assert output.parts[part]["text"].any()
    assert model.losses(batch, output, 0.5).terms.keys() == REACHED.keys()
    output.prediction.sum().backward()
    unreached = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is None}
    assert unreached == {silent, "terms"}
    assert model.state_dict().keys() == MInD(SMALL, dimensions).state_dict().keys()


def test_without_disentanglement_the_vectors_are_fused_directly(make_batch, dimensions):
    batch = make_batch()
    model = MInD(changed(disentangle=False), dimensions)
    output = model(batch)
    assert set(output.parts) == {"Z"}
    assert model.losses(batch, output, 0.5).terms.keys() == {"task"}
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {
        *(BACKBONES, "fusion", "classifier")
    }
    assert model.fusion.in_features == 3 * 16


def pieces(batch):
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 100, (len(batch), 6), generator=generator)
    lengths = torch.randint(1, 7, (len(batch), 1), generator=generator)
    without = {name: s for name, s in batch.sequences.items() if name != "text"}
    ids = ids * (torch.arange(6) < lengths)
    return dataclasses.replace(batch, sequences=without, token_ids=ids)


def test_bert_inside_is_read_as_its_mean_and_trained(make_batch, tiny_bert):
    batch = pieces(make_batch())
    config = changed(text_model=str(tiny_bert), max_pieces=6)
    model = MInD(config, {"text": 1, "audio": 5, "vision": 4}).eval()
    output = model(batch)
    text = model.bert.embed(batch)
    states = model.bert.encode(text.values, text.mask)
    mean = (states * text.mask[..., None]).sum(dim=1) / text.mask.sum(dim=1, keepdim=True)
    torch.testing.assert_close(output.parts["Z"]["text"], model.backbones["text"].head(mean))
    model.losses(batch, output, 0.5).total.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.bert.bert.encoder.layer[0].attention.self.query.weight.grad.any()
    with pytest.raises(MissingModalityError, match="as token ids"):
        model(make_batch())


def test_frames_as_backbone_are_read_one_by_one(make_batch, dimensions):
    batch = make_batch()
    model = MInD(changed(backbone="frames"), dimensions).eval()
    output = model(batch)
    for name, sequence in batch.sequences.items():
        first, second = (model.backbones[name][0].network[i] for i in (0, 2))
        row, mask = sequence.values[0], sequence.mask[0]
        frames = second(first(row[mask]).clamp(min=0.0)).clamp(min=0.0)
        vector = frames.mean(dim=0)
        deviation = (vector - vector.mean()) / (vector.var(unbiased=False) + 1e-5).sqrt()
        torch.testing.assert_close(output.parts["Z"][name][0], deviation)
    flipped = {
        name: PaddedSequence(values=s.values.flip(1), mask=s.mask.flip(1))
        for name, s in batch.sequences.items()
    }
    turned = model(dataclasses.replace(batch, sequences=flipped))
    torch.testing.assert_close(turned.prediction, output.prediction)


def test_state_survives_saving_and_loading(make_batch, dimensions):
    batch = make_batch()
    model, other = MInD(SMALL, dimensions), MInD(SMALL, dimensions)
    assert not torch.equal(model.eval()(batch).prediction, other.eval()(batch).prediction)
    other.load_state_dict(model.state_dict())
    assert torch.equal(model(batch).prediction, other(batch).prediction)


def test_noise_is_what_the_private_encoders_were_given(make_batch, dimensions):
    model = MInD(SMALL, dimensions).eval()
    output: Output = model(make_batch())
    for name, noise in zip(model.modalities, output.extras["noise"], strict=True):
        torch.testing.assert_close(output.parts["N"][name], model.private_encoders[name](noise))


def test_total_loss_decreases(make_batch, dimensions):
    history = train(MInD(SMALL, dimensions), make_batch(size=64), 40, learning_rate=3e-3)
    assert sum(history[-5:]) < 0.8 * sum(history[:5])


@pytest.mark.slow
def test_default_configuration_overfits_32_utterances(make_batch, dimensions):
    batch = make_batch(size=32)
    batch = dataclasses.replace(batch, target=batch.target[torch.randperm(32)])
    model = MInD(None, dimensions)
    train(model, batch, 150)
    assert mean_absolute_error(model, batch) < 0.2
