import dataclasses
import math

import pytest
import torch

from models.base import get
from models.batch import PaddedSequence
from models.errors import MissingModalityError
from models.estimators import estimator_optimizer, fit_estimators
from models.mird import MIRD
from models.mird_config import MIRDConfig

# Softmax, since sparsemax has no gradient where a word attends to a single frame.
PLAIN = MIRDConfig(
    width=8,
    text_width=16,
    estimator_width=6,
    audio_stride=4,
    dropout=0.0,
    text_dropout=0.0,
    attention="softmax",
    clamp_information=False,
)
SHARED = {"encoders.shared_encoder", "encoders.shared_code", "encoders.attention"}
OWN = {
    "text": {"encoders.language_encoder", "encoders.codes.text"},
    "audio": {"encoders.codes.audio"},
    "vision": {"encoders.codes.vision"},
}
PAIRS = [("text", "audio"), ("text", "vision"), ("audio", "vision")]
# What the gradient of each term reaches: exactly the parameters under these names.
REACHED = (
    {"task": {"encoders", "regressor"}}
    | {f"reconstruction_{m}": SHARED | own | {f"decoders.decoders.{m}"} for m, own in OWN.items()}
    | {f"information_{x}_{y}": OWN[x] | OWN[y] for x, y in PAIRS}
    | {f"information_shared_{m}": SHARED | own for m, own in OWN.items()}
)


def changed(**values):
    return dataclasses.replace(PLAIN, **values)


def build(dimensions, **values):
    return MIRD(changed(**values), dimensions)


def under(prefixes, model):
    return {
        name
        for name, _ in model.named_parameters()
        if any(name.startswith(f"{prefix}.") for prefix in prefixes)
    }


def unlabelled(batch):
    nothing = torch.zeros_like(batch.has_target)
    return dataclasses.replace(batch, has_target=nothing, target=torch.zeros(len(batch)))


def lacking(batch, modality):
    sequence = batch.sequences[modality]
    empty = PaddedSequence(
        values=torch.zeros_like(sequence.values), mask=torch.zeros_like(sequence.mask)
    )
    return dataclasses.replace(batch, sequences={**batch.sequences, modality: empty})


def pieces(batch):
    ids = torch.randint(1, 100, (len(batch), 6)) * (
        torch.randint(1, 7, (len(batch), 1)) > torch.arange(6)
    )
    without = {name: s for name, s in batch.sequences.items() if name != "text"}
    return dataclasses.replace(batch, sequences=without, token_ids=ids)


def train(model, batch, steps, rate=1e-2):
    optimiser = torch.optim.AdamW(list(model.parameter_groups(rate)), weight_decay=0.0)
    inner = estimator_optimizer(model=model)
    for step in range(steps):
        output = model(batch)
        total = model.losses(batch, output, step / steps).total
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        if inner is not None:
            fit_estimators(model=model, optimizer=inner, batch=batch, output=output)
    return model


def test_registered_by_name():
    assert get("mird") is MIRD


def test_parts_are_one_shared_code_and_one_of_each_modality(make_batch, dimensions):
    batch, model = make_batch(), build(dimensions)
    output = model(batch)
    shared, private = model.encoders(batch)
    assert set(output.parts) == {"S", "P"}
    for name in dimensions:
        torch.testing.assert_close(output.parts["S"][name], shared)
        torch.testing.assert_close(output.parts["P"][name], private[name])
    expected = model.regressor(torch.cat([shared, *private.values()], dim=1))
    torch.testing.assert_close(output.prediction, expected)


def test_codes_decode_to_frames_that_each_of_the_two_changes(make_batch, dimensions):
    model = build(dimensions)
    parts = model(make_batch()).parts
    plain = model.decode(parts)
    assert {n: tuple(f.shape) for n, f in plain.items()} == {
        name: (8, 20, width) for name, width in dimensions.items()
    }
    for part in ("S", "P"):
        rolled = {name: code.roll(1, dims=0) for name, code in parts[part].items()}
        other = model.decode({**parts, part: rolled})
        assert all((other[name] != plain[name]).any() for name in dimensions)


def test_each_term_reaches_its_parameters_and_no_other(make_batch, dimensions):
    batch, model = make_batch(size=7), build(dimensions)
    terms = model.losses(batch, model(batch), 0.5).terms
    assert set(terms) == {*REACHED, "unclamped_information"}
    assert not terms["unclamped_information"].requires_grad
    for term, prefixes in REACHED.items():
        model.zero_grad()
        terms[term].backward(retain_graph=True)
        found = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
        assert found == under(prefixes, model), term


def test_estimators_are_fitted_by_their_own_loss_alone(make_batch, dimensions):
    batch, model = make_batch(), build(dimensions)
    output = model(batch)
    model.losses(batch, output, 0.5).total.backward()
    names = {n for n, p in model.named_parameters() if p.grad is None}
    assert names == under({"information"}, model)
    model.zero_grad()
    model.estimator_loss(batch, output.detach()).backward()
    assert {n for n, p in model.named_parameters() if p.grad is not None} == names
    assert {id(p) for p in model.estimator_parameters()} == {
        id(p) for n, p in model.named_parameters() if n in names
    }
    assert (model.estimator_steps, model.estimator_learning_rate) == (5, 1e-3)


def test_estimators_learn_what_codes_know_of_each_other(make_batch, dimensions):
    batch, model = make_batch(size=64), build(dimensions, estimator_steps=200)
    output = model(batch)
    before = model.losses(batch, output, 0.5).terms["unclamped_information"].item()
    inner = estimator_optimizer(model=model)
    first = model.estimator_loss(batch, output.detach()).item()
    last = fit_estimators(model=model, optimizer=inner, batch=batch, output=output).item()
    after = model.losses(batch, output, 0.5).terms["unclamped_information"].item()
    assert last < first - 1
    assert after > before


@pytest.mark.parametrize("balance", ["linear", "log", "uncertainty"])
def test_errors_are_balanced(make_batch, dimensions, balance):
    batch, model = make_batch(), build(dimensions, balance=balance)
    output = model(batch)
    terms = model.losses(batch, output, 0.5).terms
    errors = {"task": (output.prediction - batch.target).square().mean().item()}
    for name, sequence in model.encoders.frames(batch).items():
        code = torch.cat([output.parts["S"][name], output.parts["P"][name]], dim=1)
        rebuilt = model.decoders.decoders[name](code, sequence.mask.shape[1])
        difference = (rebuilt - sequence.values)[sequence.mask]
        errors[f"reconstruction_{name}"] = difference.square().mean().item()
    for name, error in errors.items():
        expected = math.log(error) if balance == "log" else error
        assert terms[name].item() == pytest.approx(expected, rel=1e-4, abs=1e-6), name


def test_uncertainty_at_its_best_is_the_logarithm_and_one(make_batch, dimensions):
    batch, model = make_batch(), build(dimensions, balance="uncertainty")
    output = model(batch)
    error = (output.prediction - batch.target).square().mean().item()
    optimiser = torch.optim.SGD(list(model.log_variances.parameters()), lr=0.3)
    for _ in range(100):
        term = model.losses(batch, output, 0.5).terms["task"]
        optimiser.zero_grad()
        term.backward(retain_graph=True)
        optimiser.step()
    assert term.item() == pytest.approx(math.log(error) + 1, abs=1e-5)


def test_total_is_the_weighted_sum(make_batch, dimensions):
    batch = make_batch()
    model = build(
        dimensions,
        information_weight=0.25,
        text_reconstruction_weight=2.0,
        audio_reconstruction_weight=3.0,
        vision_reconstruction_weight=5.0,
    )
    losses = model.losses(batch, model(batch), 0.5)
    terms = losses.terms
    expected = terms["task"] + 0.25 * terms["unclamped_information"]
    for weight, name in ((2, "text"), (3, "audio"), (5, "vision")):
        expected = expected + weight * terms[f"reconstruction_{name}"]
    torch.testing.assert_close(losses.total, expected)


def test_negative_bounds_are_clamped_one_by_one(make_batch, dimensions):
    batch, model = make_batch(), build(dimensions)
    output = model(batch)
    plain = model.losses(batch, output, 0.5).terms
    model.config = changed(clamp_information=True)
    clamped = model.losses(batch, output, 0.5).terms
    pairs = [name for name in plain if name.startswith("information_")]
    assert any(plain[name] < 0 for name in pairs)
    assert any(plain[name] > 0 for name in pairs)
    for name in pairs:
        assert clamped[name].item() == max(plain[name].item(), 0.0)
    assert clamped["unclamped_information"] == plain["unclamped_information"]


def test_orthogonality_takes_the_place_of_the_bounds(make_batch, dimensions):
    batch, model = make_batch(), build(dimensions, information="orthogonality")
    output = model(batch)
    terms = model.losses(batch, output, 0.5).terms
    assert set(terms) == {*REACHED, "unclamped_information"}
    unit = []
    for part in ("S", "P"):
        code = output.parts[part]["audio"].detach()
        code = code - code.mean(dim=0)
        unit.append(code / code.norm(dim=1, keepdim=True))
    expected = (unit[0].T @ unit[1]).square().mean().item()
    assert terms["information_shared_audio"].item() == pytest.approx(expected, rel=1e-4)
    assert model.estimator_parameters() == []
    assert model.estimator_loss(batch, output.detach()) is None
    assert estimator_optimizer(model=model) is None


def test_without_information_the_errors_are_left(make_batch, dimensions):
    batch, model = make_batch(), build(dimensions, information="none")
    terms = model.losses(batch, model(batch), 0.5).terms
    assert set(terms) == {name for name in REACHED if not name.startswith("information")}
    assert not under({"information"}, model)
    assert estimator_optimizer(model=model) is None


def test_unlabelled_utterances_train_all_but_the_task(make_batch, dimensions):
    batch, model = make_batch(), build(dimensions)
    output = model(batch)
    bare = model.losses(unlabelled(batch), output, 0.5)
    full = model.losses(batch, output, 0.5)
    assert bare.terms["task"] == 0
    assert {n: t.item() for n, t in bare.terms.items() if n != "task"} == {
        n: t.item() for n, t in full.terms.items() if n != "task"
    }
    bare.total.backward()
    reached = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == under({"encoders", "decoders"}, model)


def test_unlabelled_utterances_lower_the_error_of_reconstruction(make_batch, dimensions):
    batch, model = unlabelled(make_batch()), build(dimensions)
    names = [f"reconstruction_{name}" for name in dimensions]
    before = model.losses(batch, model(batch), 0.0).terms
    train(model, batch, 30)
    after = model.losses(batch, model(batch), 1.0).terms
    assert all(after[name] < before[name] - 0.02 for name in names)


@pytest.mark.parametrize("balance", ["log", "linear", "uncertainty"])
def test_a_modality_that_no_row_has_is_legal(make_batch, dimensions, balance):
    model = build(dimensions, balance=balance)
    for name in dimensions:
        batch = lacking(make_batch(), name)
        losses = model.losses(batch, model(batch), 0.5)
        model.zero_grad()
        losses.total.backward()
        assert losses.terms[f"reconstruction_{name}"] == 0
        assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("attention", ["sparsemax", "softmax", "aligned", "none"])
@pytest.mark.parametrize("language_encoder", ["own", "shared", "lstm"])
def test_every_switch_trains_every_parameter(make_batch, dimensions, attention, language_encoder):
    batch = make_batch()
    model = build(dimensions, attention=attention, language_encoder=language_encoder)
    model.losses(batch, model(batch), 0.5).total.backward()
    missing = {n for n, p in model.named_parameters() if p.grad is None}
    assert missing == under({"information"}, model)


def test_rates_and_decay_of_the_parts(dimensions):
    model = build(dimensions, text_rate=0.1)
    groups = list(model.parameter_groups(1e-2))
    assert groups[0]["lr"] == 1e-2
    found = {
        id(p): (group["lr"], group.get("weight_decay")) for group in groups for p in group["params"]
    }
    assert len(found) == sum(len(group["params"]) for group in groups)
    for name, parameter in model.named_parameters():
        if name.startswith("information."):
            assert id(parameter) not in found
            continue
        text = name.startswith(("encoders.shared_encoder.", "encoders.language_encoder."))
        rate, decay = found[id(parameter)]
        assert rate == pytest.approx(1e-3 if text else 1e-2), name
        plain = "norm" in name or "bias" in name
        assert decay == (0.0 if plain or ".feedforward.0." in name else None), name


@pytest.fixture
def with_bert(tiny_bert):
    config = changed(text_model=str(tiny_bert), max_pieces=6)
    return MIRD(config, {"text": 1, "audio": 5, "vision": 4})


def test_bert_inside_is_read_rebuilt_and_trained(with_bert, make_batch):
    batch, model = pieces(make_batch()), with_bert
    terms = model.losses(batch, model(batch), 0.5).terms
    # near equal scores of 120 entries in the beginning
    assert terms["reconstruction_text"].item() == pytest.approx(math.log(math.log(120)), abs=0.1)
    train(model, batch, 40)
    after = model.losses(batch, model(batch), 0.5).terms
    assert after["reconstruction_text"] < terms["reconstruction_text"] - 0.2
    assert model.encoders.shared_encoder is not model.encoders.language_encoder
    for encoder in (model.encoders.shared_encoder, model.encoders.language_encoder):
        assert encoder.bert.encoder.layer[0].attention.self.query.weight.grad.any()


def test_bert_learns_what_only_the_words_say(with_bert, make_batch):
    batch = make_batch()
    for name in ("audio", "vision"):
        batch = lacking(batch, name)
    batch = pieces(batch)
    model = train(with_bert, batch, 160, rate=1e-3)
    error = (model.eval()(batch).prediction - batch.target).abs().mean()
    assert error < 0.2 * (batch.target - batch.target.median()).abs().mean()


def test_padding_and_order_of_word_pieces_change_nothing(with_bert, make_batch):
    batch, model = pieces(make_batch()), with_bert.eval()
    plain = model(batch)
    padded = dataclasses.replace(batch, token_ids=torch.nn.functional.pad(batch.token_ids, (0, 5)))
    other = model(padded)
    torch.testing.assert_close(other.prediction, plain.prediction, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        model.losses(padded, other, 0.5).total,
        model.losses(batch, plain, 0.5).total,
        atol=1e-4,
        rtol=1e-4,
    )
    order = torch.arange(8).flip(0)
    turned = dataclasses.replace(
        batch,
        sequences={
            name: PaddedSequence(values=s.values[order], mask=s.mask[order])
            for name, s in batch.sequences.items()
        },
        token_ids=batch.token_ids[order],
    )
    found = model(turned).prediction
    torch.testing.assert_close(found, plain.prediction[order], atol=1e-5, rtol=1e-4)
    assert plain.prediction.std() > 1e-4


def test_utterances_without_words_are_legal(with_bert, make_batch):
    batch = dataclasses.replace(
        pieces(make_batch()), token_ids=torch.zeros(8, 0, dtype=torch.int64)
    )
    losses = with_bert.losses(batch, with_bert(batch), 0.5)
    losses.total.backward()
    assert losses.terms["reconstruction_text"] == 0
    assert torch.isfinite(losses.total)


def test_stored_features_do_not_do_for_a_bert(with_bert, make_batch):
    with pytest.raises(MissingModalityError, match=r"lacks \['text'\] \(as token ids\)"):
        with_bert(make_batch())


def test_a_bert_is_not_loaded_without_text(dimensions, make_batch):
    config = changed(text_model="winnow/no-such-bert")
    model = MIRD(config, {name: dimensions[name] for name in ("audio", "vision")})
    assert model(make_batch()).prediction.shape == (8,)
