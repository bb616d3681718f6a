import dataclasses

import numpy as np
import pytest
import torch

from models.base import get
from models.batch import PaddedSequence
from models.errors import ModelError
from models.misa import MISA, MISAConfig

SMALL = MISAConfig(width=8, feedforward_width=12, audio_stride=1, vision_stride=1)
MODALITIES = ("text", "audio", "vision")
CODED = {"encoders", "projections", "shared", "private"}
# What the gradient of each term reaches: exactly the parameters under these names.
REACHED = {
    "task": CODED | {"transformer", "fusion"},
    "similarity": {"encoders", "projections", "shared"},
    "difference": CODED,
    "reconstruction": CODED | {"decoders"},
}


def changed(**values):
    return dataclasses.replace(SMALL, **values)


def with_frames(batch, modality, edit):
    sequence = batch.sequences[modality]
    values = sequence.values.clone()
    edit(values)
    edited = PaddedSequence(values=values * sequence.mask[..., None], mask=sequence.mask)
    return dataclasses.replace(batch, sequences={**batch.sequences, modality: edited})


def test_registered_by_name():
    assert get("misa") is MISA


def test_codes_are_one_sigmoid_layer_on_the_modality(make_batch, dimensions):
    model = MISA(SMALL, dimensions).eval()
    parts = model(make_batch()).parts
    assert set(parts) == {"S", "P", "Z"}
    for part, maps in {"S": dict.fromkeys(MODALITIES, model.shared), "P": model.private}.items():
        for name in MODALITIES:
            linear = maps[name][0]
            expected = torch.sigmoid(parts["Z"][name] @ linear.weight.T + linear.bias)
            torch.testing.assert_close(parts[part][name], expected)
            assert expected.shape == (8, 8)


def test_z_is_the_projected_mean_of_words_or_states(make_batch, dimensions):
    batch, model = make_batch(), MISA(SMALL, dimensions).eval()
    Z = model(batch).parts["Z"]
    text = batch.sequences["text"]
    words = torch.stack(
        [row[mask].mean(0) for row, mask in zip(text.values, text.mask, strict=True)]
    )
    torch.testing.assert_close(Z["text"], model.projections["text"](words))
    states = model.encoders["audio"](batch.sequences["audio"])
    assert states.shape == (8, 4 * dimensions["audio"])
    torch.testing.assert_close(Z["audio"], model.projections["audio"](states))


def test_prediction_is_the_fusion_of_six_attended_codes(make_batch, dimensions):
    model = MISA(SMALL, dimensions).eval()
    output = model(make_batch())
    steps = [output.parts[part][name] for part in ("P", "S") for name in MODALITIES]
    attended = model.transformer(torch.stack(steps, dim=1))
    assert attended.shape == (8, 6, 8)
    first, _, _, last, _ = model.fusion
    hidden = torch.clamp(attended.reshape(8, 48) @ first.weight.T + first.bias, min=0)
    torch.testing.assert_close(output.prediction, (hidden @ last.weight.T + last.bias)[:, 0])


def test_each_term_reaches_its_parameters_and_no_other(make_batch, dimensions):
    batch, model = make_batch(size=7), MISA(SMALL, dimensions)
    losses = model.losses(batch, model(batch), 0.5)
    assert set(losses.terms) == set(REACHED)
    for name, prefixes in REACHED.items():
        model.zero_grad()
        losses.terms[name].backward(retain_graph=True)
        found = {key for key, p in model.named_parameters() if p.grad is not None}
        expected = {key for key, _ in model.named_parameters() if key.split(".")[0] in prefixes}
        assert found == expected, name


def difference(x, y):
    unit = []
    for values in (x, y):
        centred = values - values.mean(0)
        unit.append(centred / np.linalg.norm(centred, axis=1, keepdims=True))
    return np.square(unit[0].T @ unit[1]).mean()


def discrepancy(x, y):
    total = np.linalg.norm(x.mean(0) - y.mean(0))
    for order in range(2, 6):
        moments = [((values - values.mean(0)) ** order).mean(0) for values in (x, y)]
        total += np.linalg.norm(moments[0] - moments[1])
    return total


def test_terms_equal_numpy_and_add_up_at_the_published_weights(make_batch, dimensions):
    batch, model = make_batch(), MISA(SMALL, dimensions).double().eval()
    batch = dataclasses.replace(
        batch,
        sequences={
            name: PaddedSequence(values=s.values.double(), mask=s.mask)
            for name, s in batch.sequences.items()
        },
        target=batch.target.double(),
    )
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    S, P, Z = (
        {name: codes.detach().numpy() for name, codes in output.parts[part].items()}
        for part in "SPZ"
    )
    pairs = [("text", "audio"), ("text", "vision"), ("audio", "vision")]
    rebuilt = {}
    for name in MODALITIES:
        weight, bias = (p.detach().numpy() for p in model.decoders[name].parameters())
        rebuilt[name] = (S[name] + P[name]) @ weight.T + bias
    expected = {
        "task": np.square(output.prediction.detach().numpy() - batch.target.numpy()).mean(),
        "similarity": np.mean([discrepancy(S[x], S[y]) for x, y in pairs]),
        "difference": sum(difference(S[name], P[name]) for name in MODALITIES)
        + sum(difference(P[x], P[y]) for x, y in pairs),
        "reconstruction": np.mean([np.square(rebuilt[n] - Z[n]).mean() for n in MODALITIES]),
    }
    for name, value in expected.items():
        assert losses.terms[name].item() == pytest.approx(value, rel=1e-4), name
    weights = {"task": 1.0, "similarity": 0.3, "difference": 0.1, "reconstruction": 1.0}
    assert losses.weights == weights
    total = sum(weights[name] * value for name, value in expected.items())
    assert losses.total.item() == pytest.approx(total, rel=1e-4)


def test_decoding_takes_codes_of_different_utterances(make_batch, dimensions):
    model = MISA(SMALL, dimensions).eval()
    parts = model(make_batch()).parts
    swapped = {"S": parts["S"], "P": {name: P.flip(0) for name, P in parts["P"].items()}}
    plain, other = model.decode(parts), model.decode(swapped)
    for name in MODALITIES:
        moved = (parts["P"][name].flip(0) - parts["P"][name]) @ model.decoders[name].weight.T
        torch.testing.assert_close(other[name] - plain[name], moved, atol=1e-6, rtol=1e-4)


def test_frames_beyond_the_words_are_read_unless_mmsa_is_followed(make_batch, dimensions):
    batch = make_batch()
    words = int(batch.sequences["text"].mask.sum(dim=1).max())
    assert batch.sequences["audio"].mask.shape[1] > words + 5

    def late(values):
        values[:, words:] += 5

    later = with_frames(batch, "audio", late)
    for follows in (False, True):
        model = MISA(changed(mmsa_lengths=follows), dimensions).eval()
        moved = (model(later).prediction - model(batch).prediction).abs().max()
        assert (moved == 0) == follows
        assert moved == 0 or moved > 1e-3


def test_mmsa_lengths_read_each_clip_up_to_its_own_words(make_batch, dimensions):
    batch, model = make_batch(), MISA(changed(mmsa_lengths=True), dimensions).eval()
    words = batch.sequences["text"].mask.sum(dim=1)
    frames = batch.sequences["vision"].values
    frames = torch.nn.functional.pad(frames, (0, 0, 0, int(words.max())))
    for row, length in enumerate(words.tolist()):
        kept = frames[row : row + 1, :length]
        whole = PaddedSequence(values=kept, mask=torch.ones(kept.shape[:2], dtype=torch.bool))
        expected = model.projections["vision"](model.encoders["vision"](whole))[0]
        torch.testing.assert_close(model(batch).parts["Z"]["vision"][row], expected)


def test_padding_changes_nothing_with_mmsa_lengths(make_batch, dimensions):
    batch, model = make_batch(), MISA(changed(mmsa_lengths=True), dimensions).eval()
    pad = torch.nn.functional.pad
    padded = {
        name: PaddedSequence(values=pad(s.values, (0, 0, 0, 9)), mask=pad(s.mask, (0, 9)))
        for name, s in batch.sequences.items()
    }
    found = model(dataclasses.replace(batch, sequences=padded)).prediction
    torch.testing.assert_close(found, model(batch).prediction)


def test_mmsa_lengths_are_those_of_word_pieces(make_batch, tiny_bert):
    batch = make_batch()
    ids = torch.randint(1, 100, (8, 4)) * (torch.arange(4) < torch.arange(1, 9)[:, None])
    sequences = {name: s for name, s in batch.sequences.items() if name != "text"}
    batch = dataclasses.replace(batch, sequences=sequences, token_ids=ids)
    config = changed(mmsa_lengths=True, text_model=str(tiny_bert), max_pieces=10)
    model = MISA(config, {"text": 1, "audio": 5, "vision": 4}).eval()
    # [CLS] and [SEP] count: the first row of one piece has three steps
    for frame, seen in ((2, True), (3, False)):

        def edit(values, frame=frame):
            values[0, frame] += 5

        moved = model(with_frames(batch, "audio", edit)).prediction - model(batch).prediction
        assert bool(moved[0]) == seen
        assert not moved[1:].any()
    model.losses(batch, model(batch), 0.5).total.backward()
    assert model.text_reader.bert.bert.embeddings.word_embeddings.weight.grad.any()
    (rest, text) = model.parameter_groups(1e-4)
    assert rest["lr"] == text["lr"] == 1e-4


def test_mmsa_lengths_are_refused_without_text(dimensions):
    del dimensions["text"]
    with pytest.raises(ModelError, match=r"mmsa_lengths.*\['audio', 'vision'\]"):
        MISA(changed(mmsa_lengths=True), dimensions)


def test_one_modality_has_nothing_to_be_similar_to(make_batch):
    batch, model = make_batch(), MISA(SMALL, {"audio": 5})
    losses = model.losses(batch, model(batch), 0.5)
    assert set(losses.terms) == {"task", "difference", "reconstruction"}
    losses.total.backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 9},
        {"heads": 0},
        {"moments": 0},
        {"audio_stride": 0},
        {"transformer_dropout": 1.0},
        {"similarity_weight": -0.1},
    ],
)
def test_values_outside_their_range_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        changed(**wrong)
