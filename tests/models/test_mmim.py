import dataclasses

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from scipy.special import logsumexp

from models.base import get
from models.batch import PaddedSequence
from models.estimators import estimator_optimizer, fit_estimators
from models.mmim import MMIM, MMIMConfig
from models.pooling import average_windows

MODALITIES = ("text", "audio", "vision")
# What the gradient of each term reaches: exactly the parameters under these names.
FUSED = {"encoders", "fusion"}
REACHED = {
    "task": FUSED | {"head"},
    "contrast": FUSED | {"predictors"},
    "negative_log_likelihood": {"encoders"},
    "entropy": {"encoders"},
}


def under(prefixes, model):
    return {
        name
        for name, _ in model.named_parameters()
        if any(name.startswith(f"{prefix}.") for prefix in prefixes)
    }


def test_registered_by_name():
    assert get("mmim") is MMIM


@pytest.mark.parametrize(("name", "stride"), [("audio", 8), ("vision", 3)])
def test_codes_are_the_last_states_of_both_directions(make_batch, dimensions, name, stride):
    batch, model = make_batch(), MMIM(MMIMConfig(vision_stride=3), dimensions).eval()
    lstm, linear = model.encoders[name][0].lstm, model.encoders[name][1]
    sequence = batch.sequences[name]
    values, mask = average_windows(values=sequence.values, mask=sequence.mask, size=stride)
    found = model(batch).parts["Z"][name]
    for row in range(8):
        valid = values[row][mask[row]]
        ahead, _ = lstm.forwards(valid[None])
        behind, _ = lstm.backwards(valid.flip(0)[None])
        ends = torch.cat([ahead[0, -1], behind[0, -1]])
        torch.testing.assert_close(found[row], linear(ends), atol=1e-6, rtol=1e-4)


def test_prediction_is_made_of_all_codes(make_batch, dimensions):
    batch, model = make_batch(), MMIM(None, dimensions).eval()
    output = model(batch)
    text = batch.sequences["text"]
    for row in range(8):
        mean = text.values[row][text.mask[row]].mean(dim=0)
        codes = torch.cat([mean, *(output.parts["Z"][name][row] for name in ("audio", "vision"))])
        _, first, _, second, _ = model.fusion
        fused = torch.tanh(second(torch.tanh(first(codes))))
        torch.testing.assert_close(output.extras["fusion"][row], fused, atol=1e-6, rtol=1e-4)
        expected = fused @ model.head[0].weight[0] + model.head[0].bias[0]
        torch.testing.assert_close(output.prediction[row], expected, atol=1e-6, rtol=1e-4)


def test_contrast_asks_for_each_modality(make_batch, dimensions):
    batch, model = make_batch(), MMIM(None, dimensions).eval()
    output, expected = model(batch), 0.0
    for name in MODALITIES:
        codes = output.parts["Z"][name].detach().double().numpy()
        told = model.predictors[name](output.extras["fusion"]).detach().double().numpy()
        codes /= (codes**2).sum(axis=1, keepdims=True) ** 0.5
        told /= (told**2).sum(axis=1, keepdims=True) ** 0.5
        scores = codes @ told.T
        expected += (logsumexp(scores, axis=1) - scores.diagonal()).mean()
    found = model.losses(batch, output, 0.5).terms["contrast"].item()
    assert found == pytest.approx(expected, rel=1e-5)


def test_total_adds_the_bounds_and_takes_off_the_entropy(make_batch, dimensions):
    config = MMIMConfig(contrast_weight=2.0, bound_weight=3.0)
    batch, model = make_batch(), MMIM(config, dimensions).eval()
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    terms = losses.terms
    assert set(terms) == set(REACHED)
    expected = (output.prediction - batch.target).abs().mean() + 2 * terms["contrast"]
    expected = expected + 3 * (terms["negative_log_likelihood"] - terms["entropy"])
    torch.testing.assert_close(losses.total, expected)


def test_each_term_reaches_its_parameters_and_no_other(make_batch, dimensions):
    batch, model = make_batch(size=12), MMIM(None, dimensions)
    terms = model.losses(batch, model(batch), 0.5).terms
    for name, prefixes in REACHED.items():
        model.zero_grad()
        terms[name].backward(retain_graph=True)
        reached = {
            key for key, p in model.named_parameters() if p.grad is not None and p.grad.any()
        }
        assert reached == under(prefixes, model), name


def test_estimators_are_fitted_by_their_own_loss_alone(make_batch, dimensions):
    config = MMIMConfig(estimator_steps=100, estimator_learning_rate=0.01)
    batch, model = make_batch(), MMIM(config, dimensions)
    estimators = {id(p) for p in model.estimator_parameters()}
    assert estimators == {id(p) for p in model.information.estimators.parameters()}
    grouped = {id(p) for group in model.parameter_groups(1e-3) for p in group["params"]}
    assert grouped == {id(p) for p in model.parameters()} - estimators
    output = model(batch)
    before = model.losses(batch, output, 0.5).terms["negative_log_likelihood"].item()
    inner = estimator_optimizer(model=model)
    fit_estimators(model=model, optimizer=inner, batch=batch, output=output)
    after = model.losses(batch, output, 0.5).terms["negative_log_likelihood"].item()
    assert after < before - 1
    assert all(p.grad is None for p in model.fusion.parameters())


def test_entropy_is_of_labelled_utterances_and_of_those_before(make_batch, dimensions):
    batch, model = make_batch(), MMIM(MMIMConfig(history=5), dimensions).eval()
    has_target = torch.arange(8) < 6
    part = dataclasses.replace(batch, has_target=has_target)
    output = model(part)
    alone = model.losses(part, output, 0.5).terms["entropy"]
    target = torch.where(has_target, batch.target, 0.0)
    torch.testing.assert_close(alone, model.information.entropy(output.parts["Z"], target))
    model.after_step(part, output.detach(), epoch=0)
    assert torch.equal(model.information.history_target, batch.target[:5])
    assert torch.equal(model.information.history_vision, output.parts["Z"]["vision"][:5])
    assert model.losses(part, output, 0.5).terms["entropy"] != alone


def test_memory_changes_no_prediction(make_batch, dimensions):
    batch, model = make_batch(), MMIM(None, dimensions).eval()
    plain = model(batch)
    model.after_step(batch, plain.detach(), epoch=0)
    assert torch.equal(model(batch).prediction, plain.prediction)


@pytest.mark.parametrize(
    ("modalities", "vision_to_audio", "pairs"),
    [
        (MODALITIES, False, {"text_vision", "text_audio"}),
        (MODALITIES, True, {"text_vision", "text_audio", "vision_audio"}),
        (("audio", "vision"), True, {"vision_audio"}),
        (("text", "audio"), True, {"text_audio"}),
        (("audio", "vision"), False, None),
        (("text",), True, None),
    ],
)
def test_pairs_of_the_modalities_there_are(
    make_batch, dimensions, modalities, vision_to_audio, pairs
):
    config = MMIMConfig(vision_to_audio=vision_to_audio)
    batch = make_batch()
    model = MMIM(config, {name: dimensions[name] for name in modalities})
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    losses.total.backward()
    if pairs is None:
        assert set(losses.terms) == {"task", "contrast"}
        assert model.estimator_parameters() == []
        assert model.estimator_loss(batch, output.detach()) is None
    else:
        assert set(model.information.estimators) == pairs
        assert set(losses.terms) == set(REACHED)


def test_clips_without_audio_have_finite_gradients(make_batch, dimensions):
    batch, model = make_batch(), MMIM(None, dimensions)
    audio = batch.sequences["audio"]
    empty = PaddedSequence(values=audio.values * 0, mask=audio.mask & False)
    batch = dataclasses.replace(batch, sequences={**batch.sequences, "audio": empty})
    model.losses(batch, model(batch), 0.5).total.backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(grad).all() for grad in grads)


def test_bert_inside_is_read_at_cls_and_trained(make_batch, tiny_bert):
    ids = torch.randint(1, 100, (8, 6)) * (torch.arange(6) < torch.arange(1, 9)[:, None])
    batch = dataclasses.replace(make_batch(), token_ids=ids)
    config = MMIMConfig(text_model=str(tiny_bert), max_pieces=10, text_rate=0.5)
    model = MMIM(config, {"text": 1, "audio": 5, "vision": 4}).eval()
    output = model(batch)
    hidden = model.read(batch)["text"].values
    assert torch.equal(output.parts["Z"]["text"], hidden[:, 0])
    model.losses(batch, output, 0.5).total.backward()
    assert model.text_reader.bert.bert.embeddings.word_embeddings.weight.grad.any()
    rest, text = model.parameter_groups(0.1)
    assert (rest["lr"], text["lr"]) == (0.1, 0.05)
    assert {id(p) for p in text["params"]} == {id(p) for p in model.text_reader.parameters()}


@pytest.mark.parametrize(
    "wrong",
    [
        {"history": -1},
        {"estimator_steps": 0},
        {"estimator_learning_rate": 0.0},
        {"bound_weight": -0.1},
        {"entropy_width": 0},
        {"dropout": 1.0},
        {"audio_stride": 0},
    ],
)
def test_values_outside_their_range_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MMIMConfig(**wrong)


def test_unknown_fields_are_refused_when_read():
    with pytest.raises(ValidationError, match="add_va"):
        TypeAdapter(MMIMConfig).validate_python({"add_va": True})
