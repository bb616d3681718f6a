import math
from itertools import combinations

import numpy as np
import pytest
import torch

from models.base import Output
from models.gradient_reversal import reversal_coefficient
from models.losses.regression import regression_loss
from models.mind import MInD, MInDConfig

SMALL = MInDConfig(width=16, statistics_width=32, decoder_width=24, audio_stride=4)
PAIRS = (("text", "audio"), ("audio", "vision"))


def restrict(dimensions, modalities):
    return {name: dimensions[name] for name in modalities}


def predicted(batch, dimensions, config=SMALL, modalities=("text", "audio", "vision")):
    model = MInD(config, restrict(dimensions, modalities))
    return model, model(batch)


def numbers(output):
    return {
        part: {name: code.detach().double().numpy() for name, code in codes.items()}
        for part, codes in output.parts.items()
    }


def covariance_norm(x, y):
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.sum((x.T @ y) ** 2) / (len(x) - 1) ** 2


@pytest.mark.parametrize("modalities", [("text", "audio", "vision"), *PAIRS, ("vision",)])
def test_info_is_six_log_two_where_nothing_is_told_apart(make_batch, dimensions, modalities):
    batch = make_batch()
    model, output = predicted(batch, dimensions, modalities=modalities)
    for name, parameter in model.terms.named_parameters():
        if "statistics" in name:
            torch.nn.init.zeros_(parameter)
    info = model.losses(batch, output, 0.5).terms["info"]
    assert info.item() == pytest.approx(6 * math.log(2), abs=1e-5)


@pytest.mark.parametrize("modalities", [("text", "audio", "vision"), *PAIRS])
def test_info_pairs_each_code_with_what_it_was_made_from(make_batch, dimensions, modalities):
    batch = make_batch()
    model, output = predicted(batch, dimensions, modalities=modalities)
    S, P, N, Z = (output.parts[part] for part in "SPNZ")
    joint = torch.cat([Z[m] for m in modalities], dim=1)
    values = []
    for i, m in enumerate(modalities):
        pairs = [
            (model.terms.shared_statistics[m], joint, S[m]),
            (model.terms.private_statistics[m], Z[m], P[m]),
            (model.terms.noise_statistics[m], output.extras["noise"][i], N[m]),
        ]
        for network, x, z in pairs:
            positive = network(x, z).detach().double().numpy()
            negative = network(x, torch.cat([z[1:], z[:1]])).detach().double().numpy()
            values.append(np.log1p(np.exp(-positive)).mean() + np.log1p(np.exp(negative)).mean())
    ours = model.losses(batch, output, 0.5).terms["info"].item()
    assert ours == pytest.approx(sum(values) / len(modalities), rel=1e-5)


def test_info_starts_at_chance(make_batch, dimensions):
    batch = make_batch(size=64)
    model, output = predicted(batch, dimensions)
    assert model.losses(batch, output, 0.0).terms["info"].item() == pytest.approx(
        6 * math.log(2), abs=0.05
    )


@pytest.mark.parametrize("modalities", [("text", "audio", "vision"), *PAIRS, ("audio",)])
def test_difference_is_the_mean_over_its_pairs(make_batch, dimensions, modalities):
    batch = make_batch()
    model, output = predicted(batch, dimensions, modalities=modalities)
    parts = numbers(output)
    S, P, N = parts["S"], parts["P"], parts["N"]
    values = [covariance_norm(S[m], P[m]) for m in modalities]
    values += [covariance_norm(S[m], N[m]) for m in modalities]
    values += [covariance_norm(P[m], N[m]) for m in modalities]
    values += [covariance_norm(P[a], P[b]) for a, b in combinations(modalities, 2)]
    assert len(values) == {3: 12, 2: 7, 1: 3}[len(modalities)]
    ours = model.losses(batch, output, 0.5).terms["difference"].item()
    assert ours == pytest.approx(np.mean(values), rel=1e-4)


@pytest.mark.parametrize("weight", [None, 0.7])
@pytest.mark.parametrize("modalities", [("text", "audio", "vision"), *PAIRS])
def test_consistency_is_the_mean_over_pairs(make_batch, dimensions, modalities, weight):
    batch = make_batch()
    config = MInDConfig(width=16, audio_stride=4, barlow_off_diagonal=weight)
    model, output = predicted(batch, dimensions, config, modalities)
    S = numbers(output)["S"]
    values = []
    for a, b in combinations(modalities, 2):
        x, y = ((S[m] - S[m].mean(0)) / np.sqrt(S[m].var(0) + 1e-5) for m in (a, b))
        squared = (x.T @ y / len(x)) ** 2
        diagonal = np.sum((1 - np.diag(x.T @ y / len(x))) ** 2)
        values.append(diagonal + (weight or 1 / 16) * (squared.sum() - np.trace(squared)))
    ours = model.losses(batch, output, 0.5).terms["consistency"].item()
    assert ours == pytest.approx(np.mean(values), rel=1e-4)


def test_reconstruction_and_cyclic_are_means_over_rows_and_columns(make_batch, dimensions):
    batch = make_batch()
    model, output = predicted(batch, dimensions)
    parts, terms = output.parts, model.losses(batch, output, 0.5).terms
    rebuilt, cyclic = [], []
    for m in model.modalities:
        S, P, N, Z = (parts[part][m] for part in "SPNZ")
        F = torch.cat([S, P], dim=1)
        decoded = model.terms.decoders[m](torch.cat([S, P, N], dim=1))
        rebuilt.append(((Z - decoded) ** 2).mean().item())
        cyclic.append(((F - model.terms.noise_to_features[m](N)) ** 2).mean().item())
        cyclic.append(((N - model.terms.features_to_noise[m](F)) ** 2).mean().item())
    assert terms["reconstruction"].item() == pytest.approx(np.mean(rebuilt), rel=1e-5)
    assert terms["cyclic"].item() == pytest.approx(np.mean(cyclic), rel=1e-5)


def test_private_encoders_are_trained_against_the_noise_classifier(make_batch, dimensions):
    batch = make_batch()
    model = MInD(SMALL, dimensions).eval()
    output = model(batch)
    encoders = list(model.private_encoders.parameters())
    head = list(model.terms.noise_classifier.parameters())
    joint = torch.cat(list(output.parts["N"].values()), dim=1)
    plain = (model.terms.noise_classifier(joint) - batch.target).abs().mean()
    expected = torch.autograd.grad(plain, encoders + head, retain_graph=True)
    term = model.losses(batch, output, 0.3).terms["noise_prediction"]
    ours = torch.autograd.grad(term, encoders + head)
    assert term.item() == pytest.approx(plain.item())
    for gradient, reference in zip(ours[: len(encoders)], expected, strict=False):
        torch.testing.assert_close(gradient, -reversal_coefficient(progress=0.3) * reference)
    torch.testing.assert_close(ours[len(encoders) :], expected[len(encoders) :])


def test_reversal_starts_at_zero(make_batch, dimensions):
    batch = make_batch()
    model, output = predicted(batch, dimensions)
    model.losses(batch, output, 0.0).terms["noise_prediction"].backward()
    assert all(not p.grad.any() for p in model.private_encoders.parameters())
    assert model.terms.noise_classifier[0].weight.grad.any()


@pytest.mark.parametrize(
    ("term", "switch", "part"),
    [("reconstruction", "detach_reconstruction", "Z"), ("cyclic", "detach_cyclic", "N")],
)
def test_detached_targets_only_lose_their_gradient(make_batch, dimensions, term, switch, part):
    batch = make_batch()
    model = MInD(SMALL, dimensions).eval()
    detached = MInD(MInDConfig(**{**vars(SMALL), switch: True}), dimensions).eval()
    detached.load_state_dict(model.state_dict())
    output = model(batch)
    # As separate leaves, a part that is a target alone can only be reached as a target.
    leaves = {
        name: {m: code.detach().requires_grad_() for m, code in codes.items()}
        for name, codes in output.parts.items()
    }
    cut = Output(prediction=output.prediction, parts=leaves, extras=output.extras)
    losses = [m.losses(batch, cut, 0.0).terms[term] for m in (model, detached)]
    torch.testing.assert_close(losses[0], losses[1])
    reached = [
        torch.autograd.grad(loss, leaves[part]["audio"], allow_unused=True)[0] for loss in losses
    ]
    assert reached[0].any()
    assert reached[1] is None or not reached[1].any()


@pytest.mark.parametrize(
    ("task", "noise"), [("l1", "l1"), ("mse", "mse"), ("mse_l1", "mse"), ("logistic", "logistic")]
)
def test_error_of_the_noise_prediction(make_batch, dimensions, task, noise):
    batch = make_batch()
    model, output = predicted(batch, dimensions, MInDConfig(width=16, regression=task))
    losses = model.eval().losses(batch, output, 0.5)
    joint = torch.cat(list(output.parts["N"].values()), dim=1)
    for term, prediction, kind in (
        ("task", output.prediction, task),
        ("noise_prediction", model.terms.noise_classifier(joint), noise),
    ):
        expected = regression_loss(
            prediction=prediction, target=batch.target, has_target=batch.has_target, kind=kind
        )
        torch.testing.assert_close(losses.terms[term], expected)
