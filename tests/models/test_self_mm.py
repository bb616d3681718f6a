import dataclasses

import pytest
import torch

from models.base import get
from models.batch import PaddedSequence
from models.errors import MissingModalityError, ModelError
from models.pooling import masked_mean
from models.self_mm import SelfMM
from models.self_mm_config import SelfMMConfig

PLAIN = SelfMMConfig(text_dropout=0.0, audio_dropout=0.0)
MODALITIES = ("text", "audio", "vision")
# What the gradient of each term reaches: exactly the parameters under these names.
REACHED = {
    "task": {"encoders", "joint_head"},
    "unimodal_text": {"heads.text"},
    "unimodal_audio": {"encoders.audio", "heads.audio"},
    "unimodal_vision": {"encoders.vision", "heads.vision"},
}


def changed(**values):
    return dataclasses.replace(PLAIN, **values)


def reached_by(term, model):
    model.zero_grad()
    term.backward(retain_graph=True)
    return {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}


def under(prefixes, model):
    return {
        name
        for name, _ in model.named_parameters()
        if any(name.startswith(f"{prefix}.") for prefix in prefixes)
    }


def train(model, batch, epochs):
    optimiser = torch.optim.AdamW(list(model.parameter_groups(1e-3)), weight_decay=0.0)
    for epoch in range(epochs):
        output = model(batch)
        total = model.losses(batch, output, epoch / epochs).total
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        model.after_step(batch, output.detach(), epoch)
    return model


def pieces(batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, 100, (len(batch), 6), generator=generator)
    lengths = torch.randint(1, 7, (len(batch), 1), generator=generator)
    ids = ids * (torch.arange(6) < lengths)
    without = {name: s for name, s in batch.sequences.items() if name != "text"}
    return dataclasses.replace(batch, sequences=without, token_ids=ids)


def test_registered_by_name():
    assert get("self_mm") is SelfMM


def test_parts_are_the_features_of_the_heads(make_batch, dimensions):
    model = SelfMM(PLAIN, dimensions).eval()
    output = model(make_batch())
    assert {name: tuple(z.shape) for name, z in output.parts["Z"].items()} == {
        "text": (8, 32),
        "audio": (8, 16),
        "vision": (8, 32),
    }
    assert output.extras["joint_features"].shape == (8, 128)
    for name in MODALITIES:
        expected = model.heads[name].score(output.parts["Z"][name])
        torch.testing.assert_close(output.extras[f"prediction_{name}"], expected)


def test_prediction_is_the_joint_head_on_all_vectors(make_batch, dimensions):
    batch, model = make_batch(), SelfMM(PLAIN, dimensions).eval()
    text = batch.sequences["text"]
    vectors = [
        masked_mean(values=text.values, mask=text.mask),
        *(model.encoders[name](batch.sequences[name]) for name in ("audio", "vision")),
    ]
    _, expected = model.joint_head(torch.cat(vectors, dim=1))
    torch.testing.assert_close(model(batch).prediction, expected)


def test_each_term_reaches_its_parameters_and_no_other(make_batch, dimensions):
    # with an odd number of rows the signs of the errors cannot cancel in a bias
    batch, model = make_batch(size=7), SelfMM(changed(audio_head_width=24), dimensions)
    train(model, batch, 4)
    terms = model.losses(batch, model(batch), 0.5).terms
    for name, prefixes in REACHED.items():
        assert reached_by(terms[name], model) == under(prefixes, model), name
    assert not terms["clamped_labels"].requires_grad
    assert set(terms) == {*REACHED, "clamped_labels"}


def test_the_heads_of_modalities_learn_nothing_in_the_first_epoch(make_batch, dimensions):
    batch, model = make_batch(size=7), SelfMM(PLAIN, dimensions)
    for epoch in range(3):
        output = model(batch)
        losses = model.losses(batch, output, 0.0)
        unimodal = sum(losses.terms[f"unimodal_{name}"] for name in MODALITIES)
        found = reached_by(losses.total, model)
        # labels of an epoch are those that the epoch before left
        if epoch < 2:
            assert unimodal == 0
            assert found == under(REACHED["task"], model)
        else:
            assert unimodal > 0
            assert found > under(["heads.text", "joint_head"], model)
        model.after_step(batch, output.detach(), epoch)


def test_total_is_the_task_and_the_modalities_at_weight_one(make_batch, dimensions):
    batch = make_batch()
    model = train(SelfMM(PLAIN, dimensions), batch, 3)
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    labels, _ = model.labels.lookup(index=batch.index, target=batch.target)
    expected = (output.prediction - batch.target).abs().mean()
    for name in MODALITIES:
        weight = torch.tanh((labels[name] - batch.target).abs())
        error = (output.extras[f"prediction_{name}"] - labels[name]).abs()
        expected = expected + (weight * error).mean()
    torch.testing.assert_close(losses.total, expected)
    assert losses.weights["clamped_labels"] == 0


def test_labels_are_generated_from_the_output_of_the_step(make_batch, dimensions):
    batch, model = make_batch(), SelfMM(PLAIN, dimensions)
    output = model(batch).detach()
    model.after_step(batch, output, 0)
    assert torch.equal(model.labels.targets, batch.target)
    assert torch.equal(model.labels.features_joint, output.extras["joint_features"])
    assert torch.equal(model.labels.features_audio, output.parts["Z"]["audio"])
    model.after_step(batch, model(batch).detach(), 1)
    assert not torch.equal(model.labels.labels_audio, batch.target)


def test_unlabelled_utterances_leave_no_trace_in_the_memory(make_batch, dimensions):
    batch, model = make_batch(), SelfMM(PLAIN, dimensions)
    has_target = torch.arange(8) % 2 == 0
    given = dataclasses.replace(
        batch, has_target=has_target, target=torch.where(has_target, batch.target, float("nan"))
    )
    train(model, given, 3)
    assert model.labels.known.tolist() == has_target.tolist()[:7]
    assert not torch.isnan(torch.cat([b.flatten() for b in model.labels.buffers()])).any()
    assert torch.isfinite(model.losses(given, model(given), 0.5).total)


def test_without_label_generation_all_are_trained_on_the_common_label(make_batch, dimensions):
    batch = make_batch()
    model = train(SelfMM(changed(generate_labels=False), dimensions), batch, 3)
    assert not len(model.labels.known)
    output = model(batch)
    terms = model.losses(batch, output, 0.5).terms
    for name in MODALITIES:
        expected = (output.extras[f"prediction_{name}"] - batch.target).abs().mean()
        torch.testing.assert_close(terms[f"unimodal_{name}"], expected)


def test_without_weights_the_modalities_learn_from_the_first_step(make_batch, dimensions):
    batch, model = make_batch(), SelfMM(changed(weight_labels=False), dimensions)
    output = model(batch)
    terms = model.losses(batch, output, 0.0).terms
    expected = (output.extras["prediction_text"] - batch.target).abs().mean()
    torch.testing.assert_close(terms["unimodal_text"], expected)


def test_limit_holds_the_labels(make_batch, dimensions):
    batch = make_batch()
    batch = dataclasses.replace(batch, target=batch.target / 3)
    model = train(SelfMM(changed(label_limit=1.0), dimensions), batch, 6)
    assert all(model.labels.get_buffer(f"labels_{name}").abs().max() <= 1 for name in MODALITIES)


def test_rates_of_the_parts(dimensions, tiny_bert):
    model = SelfMM(changed(text_model=str(tiny_bert), max_pieces=8), dimensions)
    groups = list(model.parameter_groups(1e-3))
    rate = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert len(rate) == len(list(model.parameters())) == sum(len(g["params"]) for g in groups)
    for name, parameter in model.named_parameters():
        expected = {"bert": 5e-5, "encoders": 5e-3}.get(name.split(".")[0], 1e-3)
        assert rate[id(parameter)] == pytest.approx(expected), name
    assert groups[0]["lr"] == 1e-3


def test_dropouts_act_where_they_should(make_batch, dimensions):
    batch = make_batch()
    for name, moved in {"joint_dropout": "prediction", "audio_dropout": "prediction_audio"}.items():
        model = SelfMM(changed(**{name: 0.5}), dimensions)
        one, other = model(batch), model(batch)
        found = {
            key
            for key in ("prediction", "prediction_text", "prediction_audio")
            if not torch.equal(
                *(
                    out.prediction if key == "prediction" else out.extras[key]
                    for out in (one, other)
                )
            )
        }
        assert found == {moved}


@pytest.fixture
def with_bert(tiny_bert):
    config = changed(text_model=str(tiny_bert), max_pieces=6)
    return SelfMM(config, {"text": 1, "audio": 5, "vision": 4})


def test_bert_inside_is_read_and_trained(with_bert, make_batch):
    batch, model = pieces(make_batch()), with_bert.eval()
    output = model(batch)
    text = model.bert.embed(batch)
    at_cls = model.bert.encode(text.values, text.mask)[:, 0]
    features, _ = model.heads["text"](at_cls)
    torch.testing.assert_close(output.parts["Z"]["text"], features)
    model.losses(batch, output, 0.5).total.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert model.bert.bert.encoder.layer[0].attention.self.query.weight.grad.any()


def test_padding_and_order_of_word_pieces_change_nothing(with_bert, make_batch):
    batch, model = pieces(make_batch()), with_bert.eval()
    plain = model(batch).prediction
    padded = dataclasses.replace(batch, token_ids=torch.nn.functional.pad(batch.token_ids, (0, 5)))
    torch.testing.assert_close(model(padded).prediction, plain, atol=1e-5, rtol=1e-4)
    order = torch.arange(8).flip(0)
    turned = dataclasses.replace(
        batch,
        sequences={
            name: PaddedSequence(values=s.values[order], mask=s.mask[order])
            for name, s in batch.sequences.items()
        },
        token_ids=batch.token_ids[order],
    )
    torch.testing.assert_close(model(turned).prediction, plain[order], atol=1e-5, rtol=1e-4)
    assert plain.std() > 1e-4


def test_bert_learns_what_only_the_words_say(tiny_bert, make_batch):
    batch = make_batch()
    nothing = {
        name: PaddedSequence(values=torch.zeros_like(s.values), mask=torch.zeros_like(s.mask))
        for name, s in batch.sequences.items()
    }
    batch = pieces(dataclasses.replace(batch, sequences=nothing))
    config = changed(text_model=str(tiny_bert), max_pieces=6, text_rate=1.0)
    model = train(SelfMM(config, {"text": 1, "audio": 5, "vision": 4}), batch, 60)
    error = (model.eval()(batch).prediction - batch.target).abs().mean()
    assert error < 0.2 * (batch.target - batch.target.median()).abs().mean()


def test_stored_features_do_not_do_for_a_bert(with_bert, make_batch):
    with pytest.raises(MissingModalityError, match=r"lacks \['text'\] \(as token ids\)"):
        with_bert(make_batch())


def test_a_bert_is_not_loaded_without_text(dimensions, make_batch):
    config = changed(text_model="winnow/no-such-bert")
    model = SelfMM(config, {name: dimensions[name] for name in ("audio", "vision")})
    assert model.bert is None
    assert model(make_batch()).prediction.shape == (8,)
    with pytest.raises(ModelError, match="no-such-bert"):
        SelfMM(config, dimensions)
