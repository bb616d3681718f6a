import dataclasses

import numpy as np
import pytest
import torch

from models.base import get
from models.batch import PaddedSequence
from models.confede import ConFEDE
from models.confede_config import ConFEDEConfig

SMALL = ConFEDEConfig(width=8, heads=2, dropout=0.0, audio_stride=1, vision_stride=1)
MODALITIES = ("text", "audio", "vision")
CODED = {"encoders", "similar", "dissimilar"}
# What the gradient of each term reaches: exactly the parameters under these names.
REACHED = {
    "task": CODED | {"fusion"},
    "contrastive": CODED,
    "unimodal": CODED | {"unimodal_head"},
}


def lacking(batch, modality, rows):
    sequence = batch.sequences[modality]
    mask = sequence.mask.clone()
    mask[rows] = False
    empty = PaddedSequence(values=sequence.values * mask[..., None], mask=mask)
    return dataclasses.replace(batch, sequences={**batch.sequences, modality: empty})


def gelu_network(values, network):
    linears = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
    for layer in linears[:-1]:
        values = torch.nn.functional.gelu(values @ layer.weight.T + layer.bias)
    return (values @ linears[-1].weight.T + linears[-1].bias)[:, 0]


def test_registered_by_name():
    assert get("confede") is ConFEDE


def test_codes_are_a_normed_linear_map_and_tanh(make_batch, dimensions):
    batch, model = make_batch(), ConFEDE(SMALL, dimensions).eval()
    parts = model(batch).parts
    for name in MODALITIES:
        encoded = model.encoders[name](batch.sequences[name])
        torch.testing.assert_close(parts["Z"][name], encoded)
        unit = encoded - encoded.mean(1, keepdim=True)
        unit = unit / (unit.square().mean(1, keepdim=True) + 1e-5).sqrt()
        for part, maps in (("S", model.similar), ("P", model.dissimilar)):
            linear = maps[name][1]
            expected = torch.tanh(unit @ linear.weight.T + linear.bias)
            torch.testing.assert_close(parts[part][name], expected)
            assert expected.shape == (8, 4)


def test_prediction_is_a_network_on_all_codes(make_batch, dimensions):
    model = ConFEDE(SMALL, dimensions).eval()
    output = model(make_batch())
    codes = torch.cat([output.parts[part][name] for part in "SP" for name in MODALITIES], dim=1)
    widths = [layer.out_features for layer in model.fusion if isinstance(layer, torch.nn.Linear)]
    assert widths == [8, 4, 2, 1, 1]
    torch.testing.assert_close(output.prediction, gelu_network(codes, model.fusion))


def test_depths_are_those_of_the_configuration(dimensions):
    config = dataclasses.replace(SMALL, text_layers=1, audio_layers=3, vision_layers=2)
    model = ConFEDE(config, dimensions)
    depths = {name: len(e.transformer.layers) for name, e in model.encoders.items()}
    assert depths == {"text": 1, "audio": 3, "vision": 2}


def nt_xent(batch, output):
    """Pairs of the six codes of each clip and of its neighbours, one by one."""
    S, P, Z = (
        {name: codes.detach().numpy() for name, codes in output.parts[part].items()}
        for part in "SPZ"
    )
    classes = np.round(batch.target.numpy())

    def cosine(x, y):
        return x @ y / np.linalg.norm(x) / np.linalg.norm(y)

    def cost(anchor, positive, negatives):
        scores = [cosine(anchor, code) / 0.5 for code in (positive, *negatives)]
        return np.logaddexp.reduce(scores) - scores[0]

    joined = np.concatenate([Z[name] for name in MODALITIES], axis=1)
    costs = []
    for i in range(len(batch)):
        order = sorted(
            (j for j in range(len(batch)) if j != i),
            key=lambda j: -cosine(joined[i], joined[j]),
        )
        near = [j for j in order if classes[j] == classes[i]][:2]
        other = [j for j in order if classes[j] != classes[i]]
        far = set(other[:2] + other[-2:])
        for name in MODALITIES:
            negatives = [S[name][j] for j in far]
            if name == "text":
                negatives += [P[every][i] for every in MODALITIES]
                costs += [cost(S[name][i], S[m][i], negatives) for m in ("audio", "vision")]
            costs += [cost(S[name][i], S[name][j], negatives) for j in near]
    return np.mean(costs)


def test_terms_equal_numpy_and_add_up_at_the_published_weights(make_batch, dimensions):
    batch, model = make_batch(size=20), ConFEDE(SMALL, dimensions).eval()
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    target = batch.target.numpy()
    errors = [
        gelu_network(output.parts[part][name], model.unimodal_head).detach().numpy() - target
        for part in "SP"
        for name in MODALITIES
    ]
    expected = {
        "task": np.square(output.prediction.detach().numpy() - target).mean(),
        "contrastive": nt_xent(batch, output),
        "unimodal": np.square(errors).mean(),
    }
    for name, value in expected.items():
        assert losses.terms[name].item() == pytest.approx(value, rel=1e-4), name
    assert losses.weights == {"task": 1.0, "contrastive": 0.1, "unimodal": 0.01}
    total = expected["task"] + 0.1 * expected["contrastive"] + 0.01 * expected["unimodal"]
    assert losses.total.item() == pytest.approx(total, rel=1e-4)


def test_each_term_reaches_its_parameters_and_no_other(make_batch, dimensions):
    batch, model = make_batch(), ConFEDE(SMALL, dimensions)
    losses = model.losses(batch, model(batch), 0.5)
    assert set(losses.terms) == set(REACHED)
    for name, prefixes in REACHED.items():
        model.zero_grad()
        losses.terms[name].backward(retain_graph=True)
        found = {key for key, p in model.named_parameters() if p.grad is not None}
        expected = {key for key, _ in model.named_parameters() if key.split(".")[0] in prefixes}
        assert found == expected, name


def test_unlabelled_clips_are_contrasted_within_themselves(make_batch, dimensions):
    batch, model = make_batch(), ConFEDE(SMALL, dimensions).eval()
    nothing = dataclasses.replace(batch, has_target=torch.zeros(8, dtype=torch.bool))
    output = model(nothing)
    terms = model.losses(nothing, output, 0.5).terms
    assert terms["task"] == terms["unimodal"] == 0.0
    alone = [
        model.losses(one, model(one), 0.5).terms["contrastive"].item()
        for one in (
            dataclasses.replace(
                nothing,
                sequences={
                    name: PaddedSequence(values=s.values[[row]], mask=s.mask[[row]])
                    for name, s in batch.sequences.items()
                },
                target=batch.target[[row]],
                has_target=nothing.has_target[[row]],
                index=batch.index[[row]],
            )
            for row in range(8)
        )
    ]
    assert terms["contrastive"].item() == pytest.approx(np.mean(alone), rel=1e-4)


def test_codes_of_an_absent_modality_are_in_no_term(make_batch, dimensions):
    model = ConFEDE(SMALL, dimensions).eval()
    batch = lacking(make_batch(), "audio", slice(0, 3))
    output = model(batch)
    terms = model.losses(batch, output, 0.5).terms
    for part in ("S", "P"):
        codes = output.parts[part]["audio"].clone()
        codes[:3] = torch.randn(3, 4)
        output.parts[part]["audio"] = codes
    moved = model.losses(batch, output, 0.5).terms
    assert moved["contrastive"].item() == pytest.approx(terms["contrastive"].item())
    assert moved["unimodal"].item() == pytest.approx(terms["unimodal"].item())


@pytest.mark.parametrize("modalities", [("audio", "vision"), ("vision",)])
def test_fewer_modalities(make_batch, dimensions, modalities):
    model = ConFEDE(SMALL, {name: dimensions[name] for name in modalities})
    batch = make_batch()
    output = model(batch)
    assert all(set(codes) == set(modalities) for codes in output.parts.values())
    model.losses(batch, output, 0.5).total.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_bert_inside_takes_the_place_of_the_encoder_of_text(make_batch, tiny_bert):
    batch = make_batch()
    ids = torch.randint(1, 100, (8, 6)) * (torch.arange(6) < torch.arange(1, 9)[:, None])
    batch = dataclasses.replace(batch, token_ids=ids)
    config = dataclasses.replace(SMALL, text_model=str(tiny_bert), max_pieces=10)
    model = ConFEDE(config, {"text": 1, "audio": 5, "vision": 4}).eval()
    output = model(batch)
    hidden = model.read(batch)["text"]
    for row in range(8):
        expected = hidden.values[row][hidden.mask[row]].mean(0)
        torch.testing.assert_close(output.parts["Z"]["text"][row], expected)
    assert set(model.encoders) == {"audio", "vision"}
    model.losses(batch, output, 0.5).total.backward()
    assert model.text_reader.bert.bert.embeddings.word_embeddings.weight.grad.any()
    rest, text = model.parameter_groups(1e-4)
    assert (rest["lr"], text["lr"]) == (1e-4, pytest.approx(1e-5))
