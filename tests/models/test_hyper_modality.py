import numpy as np
import pytest
import torch
from scipy.special import softmax

from models.almt_config import ALMTConfig
from models.hyper_modality import HyperModalityLayer

SMALL = ALMTConfig(width=6, tokens=3, heads=2, hyper_head_width=5)
SOURCES = ("audio", "vision")


def normed(values):
    centred = values - values.mean(-1, keepdims=True)
    return centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-5)


@pytest.fixture
def layer():
    return HyperModalityLayer(SMALL, sources=SOURCES).double()


@pytest.fixture
def given():
    hyper, guide, audio, vision = (torch.randn(4, 3, 6).double() for _ in range(4))
    everywhere = torch.ones(4, dtype=torch.bool)
    return hyper, guide, {"audio": audio, "vision": vision}, dict.fromkeys(SOURCES, everywhere)


def test_update_is_the_equation_row_by_row_and_head_by_head(layer, given):
    hyper, guide, sources, present = given
    found = layer(hyper, guide, sources, present).detach().numpy()
    for row in range(4):
        query = normed(guide[row].numpy()) @ layer.query.weight.detach().numpy().T
        shift = np.zeros((3, 10))
        for name in SOURCES:
            weight = layer.keys_values[name][1].weight.detach().numpy()
            steps = normed(sources[name][row].numpy())
            key, value = steps @ weight[:10].T, steps @ weight[10:].T
            for head in range(2):
                part = slice(5 * head, 5 * head + 5)
                alpha = softmax(query[:, part] @ key[:, part].T / np.sqrt(5), axis=1)
                shift[:, part] += alpha @ value[:, part]
        output = layer.output[0]
        shift = shift @ output.weight.detach().numpy().T + output.bias.detach().numpy()
        np.testing.assert_allclose(found[row], hyper[row].numpy() + shift, atol=1e-12)


def test_hyper_decides_nothing_of_what_is_added(layer, given):
    hyper, guide, sources, present = given
    other = torch.randn_like(hyper)
    torch.testing.assert_close(
        layer(hyper, guide, sources, present) - hyper,
        layer(other, guide, sources, present) - other,
    )


def test_nothing_is_taken_of_an_absent_modality(layer, given):
    hyper, guide, sources, present = given
    present = present | {"audio": torch.tensor([True, False, True, False])}
    found = layer(hyper, guide, sources, present)
    moved = sources | {"audio": sources["audio"] + torch.randn(4, 3, 6)}
    changed = (layer(hyper, guide, moved, present) - found).abs().amax(dim=(1, 2)) > 1e-6
    assert changed.tolist() == [True, False, True, False]
