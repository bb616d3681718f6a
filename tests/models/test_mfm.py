import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import rbf_kernel

from models.base import get
from models.batch import PaddedSequence
from models.mfm import MFM, MFMConfig
from models.pooling import average_windows

MODALITIES = ("text", "audio", "vision")
# What the gradient of each term reaches: exactly the parameters under these names.
JOINT = {"joint_encoders", "joint_code"}
REACHED = {
    "task": JOINT | {"factors.joint", "head"},
    "reconstruction_text": JOINT
    | {"encoders.text", "factors.joint", "factors.text", "decoders.text"},
    "reconstruction_audio": JOINT
    | {"encoders.audio", "factors.joint", "factors.audio", "decoders.audio"},
    "discrepancy": JOINT | {"encoders"},
}


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


def averaged(batch, name, size):
    sequence = batch.sequences[name]
    return average_windows(values=sequence.values, mask=sequence.mask, size=size)


def test_registered_by_name():
    assert get("mfm") is MFM


def test_parts_are_the_factors_and_the_codes(make_batch, dimensions):
    output = MFM(None, dimensions).eval()(make_batch())
    widths = {
        part: {m: c.shape[1] for m, c in codes.items()} for part, codes in output.parts.items()
    }
    assert widths == {
        "S": dict.fromkeys(MODALITIES, 64),
        "P": {"text": 32, "audio": 16, "vision": 64},
        "Z": {"text": 64, "audio": 80, "vision": 80},
    }
    assert output.extras["joint_code"].shape == (8, 80)


def test_codes_and_factors_are_made_as_the_table_says(make_batch, dimensions):
    batch, model = make_batch(), MFM(MFMConfig(audio_stride=4), dimensions).eval()
    output = model(batch)
    values, mask = averaged(batch, "audio", 4)
    for row in range(len(batch)):
        encoder, linear = model.encoders["audio"]
        _, (state, _) = encoder.lstm(values[row][mask[row]][None])
        code = linear(state[0, 0])
        torch.testing.assert_close(output.parts["Z"]["audio"][row], code, atol=1e-6, rtol=1e-4)
        first, _, _, second, _ = model.factors["audio"]
        factor = second(first(code).clamp(min=0)).clamp(min=0)
        torch.testing.assert_close(output.parts["P"]["audio"][row], factor, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(output.prediction, model.head(output.parts["S"]["text"]))


def test_the_prediction_does_not_depend_on_the_modalities_own_factors(make_batch, dimensions):
    model = MFM(None, dimensions).eval()
    plain = model(make_batch()).prediction
    with torch.no_grad():
        for encoder in model.encoders.values():
            encoder[1].weight.zero_()
    assert torch.equal(model(make_batch()).prediction, plain)


@pytest.mark.parametrize(("name", "size"), [("text", 1), ("vision", 3)])
def test_errors_are_over_valid_steps(make_batch, dimensions, name, size):
    batch, model = make_batch(), MFM(MFMConfig(vision_stride=3), dimensions).eval()
    output = model(batch)
    values, mask = averaged(batch, name, size)
    rebuilt = model.decode(output.parts)[name]
    errors = []
    for row in range(len(batch)):
        for step in range(mask.shape[1]):
            if mask[row, step]:
                errors.extend(((rebuilt[row, step] - values[row, step]) ** 2).tolist())
    found = model.losses(batch, output, 0.5).terms[f"reconstruction_{name}"].item()
    assert found == pytest.approx(np.mean(errors), rel=1e-4)


def test_total_is_the_weighted_sum_of_all_terms(make_batch, dimensions):
    config = MFMConfig(
        text_reconstruction_weight=2.0, audio_reconstruction_weight=3.0, discrepancy_weight=5.0
    )
    batch, model = make_batch(), MFM(config, dimensions).eval()
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    terms = losses.terms
    expected = (output.prediction - batch.target).abs().mean() + 2 * terms["reconstruction_text"]
    expected = expected + 3 * terms["reconstruction_audio"] + 0.5 * terms["reconstruction_vision"]
    torch.testing.assert_close(losses.total, expected + 5 * terms["discrepancy"])


def test_discrepancy_is_the_sum_over_the_four_codes(make_batch, dimensions):
    batch, model = make_batch(), MFM(None, dimensions).eval()
    output = model(batch)
    rng, expected = np.random.default_rng(0), 0.0
    for codes in (output.extras["joint_code"], *output.parts["Z"].values()):
        codes = codes.detach().double().numpy()
        drawn = rng.normal(size=(1000, codes.shape[1]))
        # the mean of a sample and its mirror image is that of the distribution
        drawn = np.concatenate([drawn, -drawn])
        gamma = 1 / codes.shape[1] ** 2
        among = rbf_kernel(drawn, gamma=gamma)
        expected += among[~np.eye(2000, dtype=bool)].mean()
        expected += rbf_kernel(codes, gamma=gamma).mean()
        expected -= 2 * rbf_kernel(codes, drawn, gamma).mean()
    found = model.losses(batch, output, 0.5).terms["discrepancy"].item()
    assert found == pytest.approx(expected, abs=1e-4)


def test_each_term_reaches_its_parameters_and_no_other(make_batch, dimensions):
    batch, model = make_batch(size=7), MFM(None, dimensions)
    terms = model.losses(batch, model(batch), 0.5).terms
    for name, prefixes in REACHED.items():
        assert reached_by(terms[name], model) == under(prefixes, model), name


def test_a_modality_without_any_step_is_not_rebuilt(make_batch, dimensions):
    batch, model = make_batch(), MFM(None, dimensions)
    audio = batch.sequences["audio"]
    empty = PaddedSequence(values=audio.values * 0, mask=audio.mask & False)
    given = dataclasses.replace(batch, sequences={**batch.sequences, "audio": empty})
    losses = model.losses(given, model(given), 0.5)
    assert losses.terms["reconstruction_audio"] == 0
    assert losses.terms["reconstruction_text"] > 0


def test_unlabelled_utterances_train_all_but_the_task(make_batch, dimensions):
    batch = dataclasses.replace(make_batch(), has_target=torch.zeros(8, dtype=torch.bool))
    model = MFM(None, dimensions)
    model.losses(batch, model(batch), 0.5).total.backward()
    assert not any(p.grad.any() for p in model.head.parameters())
    assert all(p.grad.any() for p in model.decoders.parameters())


def test_a_bert_is_not_trained_to_be_easily_rebuilt(make_batch, tiny_bert, dimensions):
    batch = dataclasses.replace(
        make_batch(size=3), token_ids=torch.tensor([[7, 8], [9, 0], [5, 6]])
    )
    model = MFM(MFMConfig(text_model=str(tiny_bert), max_pieces=30), dimensions).eval()
    output = model(batch)
    target = model.read(batch)["text"]
    rebuilt = model.decode(output.parts)["text"][:, : target.mask.shape[1]]
    with torch.no_grad():
        fixed = target.values.clone()
    error = (rebuilt - fixed)[target.mask].square().mean()
    found = model.losses(batch, output, 0.5).terms["reconstruction_text"]
    word = model.text_reader.bert.bert.embeddings.word_embeddings.weight
    (expected,) = torch.autograd.grad(error, word, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(found, word)[0], expected)
