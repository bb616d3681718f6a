import dataclasses
import math
from itertools import combinations

import numpy as np
import pytest
import torch

from models.errors import ModelError
from models.gradient_reversal import reversal_coefficient
from models.losses.hsic import normalised_hsic
from models.losses.info_nce import info_nce_loss
from models.mind import MInD, MInDConfig

SIZES = {"width": 16, "statistics_width": 32, "decoder_width": 24, "audio_stride": 4}
PAPER = MInDConfig(preset="paper", **SIZES)
STRONG = MInDConfig(preset="strong", **SIZES)
MODALITIES = ("text", "audio", "vision")


def predicted(batch, dimensions, config):
    model = MInD(config, dimensions)
    return model, model(batch)


def terms_of(batch, dimensions, config, progress=0.5):
    model, output = predicted(batch, dimensions, config)
    return model, output, model.losses(batch, output, progress)


def test_terms_of_the_paper_are_sums(make_batch, dimensions):
    batch = make_batch()
    torch.manual_seed(0)
    _, _, summed = terms_of(batch, dimensions, PAPER)
    torch.manual_seed(0)
    _, _, mean = terms_of(batch, dimensions, dataclasses.replace(PAPER, reduction="mean"))
    factors = {"info": 3, "consistency": 3, "difference": 12, "reconstruction": 3}
    for name, factor in factors.items():
        torch.testing.assert_close(summed.terms[name], factor * mean.terms[name])
    for name in ("task", "noise_prediction"):
        torch.testing.assert_close(summed.terms[name], mean.terms[name])


def test_cyclic_term_of_the_paper_is_of_squared_norms(make_batch, dimensions):
    model, output, losses = terms_of(make_batch(), dimensions, PAPER)
    expected = 0.0
    for m in MODALITIES:
        S, P, N = (output.parts[part][m] for part in "SPN")
        F = torch.cat([S, P], dim=1)
        to_features = model.terms.noise_to_features["all"](N)
        to_noise = model.terms.features_to_noise["all"](F)
        expected += (F - to_features).square().sum(dim=1).mean().item()
        expected += (N - to_noise).square().sum(dim=1).mean().item()
    assert losses.terms["cyclic"].item() == pytest.approx(expected, rel=1e-5)


def test_paper_has_one_network_where_it_has_one_symbol(dimensions):
    names = {name for name, _ in MInD(PAPER, dimensions).terms.named_modules()}
    assert "noise_statistics" not in names
    assert {name for name in names if name.startswith("decoders.") and name.count(".") == 1} == {
        "decoders.all"
    }


def test_noise_of_the_paper_is_scored_by_the_private_statistics(make_batch, dimensions):
    batch = make_batch()
    model, output = predicted(batch, dimensions, PAPER)
    for parameter in model.terms.shared_statistics.parameters():
        torch.nn.init.zeros_(parameter)
    expected = 3 * 2 * math.log(2)
    for i, m in enumerate(MODALITIES):
        network = model.terms.private_statistics[m]
        for x, z in (
            (output.parts["Z"][m], output.parts["P"][m]),
            (output.extras["noise"][i], output.parts["N"][m]),
        ):
            positive = network(x, z).detach().double().numpy()
            negative = network(x, z.roll(-1, dims=0)).detach().double().numpy()
            expected += np.log1p(np.exp(-positive)).mean() + np.log1p(np.exp(negative)).mean()
    ours = model.losses(batch, output, 0.5).terms["info"].item()
    assert ours == pytest.approx(expected, rel=1e-5)


def test_off_diagonal_weights_by_name(make_batch, dimensions):
    batch = make_batch()
    model, output = predicted(batch, dimensions, MInDConfig(**SIZES))
    values = {}
    for weight in ("inverse_width", "width", 1 / 16, 16.0):
        changed = dataclasses.replace(model.config, barlow_off_diagonal=weight)
        model.terms.config = changed
        values[weight] = model.losses(batch, output, 0.5).terms["consistency"].item()
    assert values["inverse_width"] == values[1 / 16] < values["width"] == values[16.0]


def test_parts_of_the_strong_preset(make_batch, dimensions):
    config = dataclasses.replace(STRONG, shared_width=5, private_width=7)
    model, output, losses = terms_of(make_batch(size=5), dimensions, config)
    assert {part: codes["text"].shape for part, codes in output.parts.items()} == {
        "S": (5, 5),
        "P": (5, 7),
        "Z": (5, 16),
    }
    assert losses.terms.keys() == {"task", "info", "consistency", "difference", "reconstruction"}
    assert model.fusion.in_features == 3 * 12


def test_strong_terms_are_info_nce_and_normalised_hsic(make_batch, dimensions):
    batch = make_batch()
    _, output, losses = terms_of(batch, dimensions, STRONG)
    S, P = output.parts["S"], output.parts["P"]
    aligned = [info_nce_loss(a=S[a], b=S[b]).item() for a, b in combinations(MODALITIES, 2)]
    pairs = [normalised_hsic(x=S[m], y=P[m]).item() for m in MODALITIES]
    assert losses.terms["consistency"].item() == pytest.approx(np.mean(aligned), rel=1e-5)
    assert losses.terms["difference"].item() == pytest.approx(np.mean(pairs), rel=1e-5)


def test_strong_reconstruction_leaves_the_backbones_alone(make_batch, dimensions):
    model, output, losses = terms_of(make_batch(), dimensions, STRONG)
    (gradient,) = torch.autograd.grad(
        losses.terms["reconstruction"], model.terms.decoders["text"][2].bias, retain_graph=True
    )
    assert gradient.any()
    leaves = {
        part: {m: code.detach().requires_grad_() for m, code in codes.items()}
        for part, codes in output.parts.items()
    }
    cut = dataclasses.replace(output, parts=leaves)
    model.losses(make_batch(), cut, 0.5).terms["reconstruction"].backward()
    assert all(leaves["Z"][m].grad is None for m in MODALITIES)
    assert all(leaves[part][m].grad.any() for part in "SP" for m in MODALITIES)


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.05, 0.25), (0.2, 1.0), (1.0, 1.0)])
def test_difference_is_warmed_up(make_batch, dimensions, progress, share):
    config = dataclasses.replace(STRONG, difference_warm_up=0.2)
    _, _, losses = terms_of(make_batch(), dimensions, config, progress)
    assert losses.weights["difference"] == pytest.approx(share * config.difference_weight)
    others = {name: weight for name, weight in losses.weights.items() if name != "difference"}
    assert others == {"task": 1.0} | {
        name: config.term_weights[name] for name in others if name != "task"
    }


def test_noise_of_the_input_is_a_code_of_the_clip(make_batch, dimensions):
    batch = make_batch()
    config = MInDConfig(noise_source="input", **SIZES)
    model = MInD(config, dimensions).eval()
    first, second = model(batch), model(batch)
    for m in MODALITIES:
        assert torch.equal(first.parts["N"][m], second.parts["N"][m])
        torch.testing.assert_close(
            first.parts["N"][m], model.noise_encoders[m](first.parts["Z"][m])
        )
    assert "noise" not in first.extras
    losses = model.losses(batch, first, 0.5)
    assert losses.terms.keys() == {"task", *config.term_weights}
    losses.terms["noise_prediction"].backward()
    assert model.backbones["text"].head[0].weight.grad.any()


def test_private_encoders_are_trained_against_the_noise_of_the_input(make_batch, dimensions):
    batch = make_batch()
    model = MInD(MInDConfig(noise_source="input", **SIZES), dimensions).eval()
    output = model(batch)
    encoders = list(model.noise_encoders.parameters())
    joint = torch.cat(list(output.parts["N"].values()), dim=1)
    plain = (model.terms.noise_classifier(joint) - batch.target).abs().mean()
    expected = torch.autograd.grad(plain, encoders, retain_graph=True)
    term = model.losses(batch, output, 0.3).terms["noise_prediction"]
    for ours, reference in zip(torch.autograd.grad(term, encoders), expected, strict=True):
        torch.testing.assert_close(ours, -reversal_coefficient(progress=0.3) * reference)


def test_constant_reversal(make_batch, dimensions):
    batch = make_batch()
    model, output = predicted(batch, dimensions, MInDConfig(reversal="constant", **SIZES))
    encoders = list(model.private_encoders.parameters())
    gradients = []
    for progress in (0.0, 1.0):
        term = model.eval().losses(batch, output, progress).terms["noise_prediction"]
        gradients.append(torch.autograd.grad(term, encoders, retain_graph=True))
    assert any(gradient.any() for gradient in gradients[0])
    for early, late in zip(*gradients, strict=True):
        torch.testing.assert_close(early, late)


@pytest.mark.parametrize("preset", ["author", "paper", "strong"])
@pytest.mark.parametrize(("part", "gone"), [("S", "shared"), ("P", "private")])
def test_a_removed_part_is_nowhere(make_batch, dimensions, preset, part, gone):
    config = MInDConfig(preset=preset, muted=part, mute_mode="remove", **SIZES)
    batch = make_batch()
    model, output, losses = terms_of(batch, dimensions, config)
    assert part not in output.parts
    assert not any(f"{gone}_statistics" in name for name, _ in model.named_parameters())
    assert ("consistency" in losses.terms) == (part != "S")
    losses.total.backward()
    assert all(p.grad is not None for p in model.parameters())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_random_negatives_are_of_other_rows(make_batch, dimensions):
    batch = make_batch()
    model, output = predicted(batch, dimensions, MInDConfig(negatives="random", **SIZES))
    values = {model.losses(batch, output, 0.5).terms["info"].item() for _ in range(4)}
    model.terms.config = dataclasses.replace(model.config, negatives="roll")
    rolled = {model.losses(batch, output, 0.5).terms["info"].item() for _ in range(4)}
    assert len(values) > 1 == len(rolled)


@pytest.mark.parametrize("preset", ["author", "paper", "strong"])
def test_decoding_own_codes_is_the_reconstruction(make_batch, dimensions, preset):
    config = MInDConfig(preset=preset, **SIZES)
    model, output, losses = terms_of(make_batch(), dimensions, config)
    rebuilt = model.decode(output.parts)
    errors = [(rebuilt[m] - output.parts["Z"][m]).square().mean().item() for m in MODALITIES]
    reduced = sum(errors) if preset == "paper" else np.mean(errors)
    assert losses.terms["reconstruction"].item() == pytest.approx(reduced, rel=1e-5)


def test_decoding_needs_parts(make_batch, dimensions):
    model, output = predicted(make_batch(), dimensions, STRONG)
    with pytest.raises(ModelError, match=r"\['P'\] are missing"):
        model.decode({"S": output.parts["S"]})
    whole = MInD(MInDConfig(disentangle=False, **SIZES), dimensions)
    with pytest.raises(ModelError, match="disentangle=False"):
        whole.decode(output.parts)
