import math

import numpy as np
import pytest
import torch

from models.base import available, get
from models.batch import MODALITIES
from pipeline.checkpoint import plain_model_config
from pipeline.synthetic.contenders import find_contender
from pipeline.synthetic.encoding import encode
from pipeline.synthetic.swap_test import Decoding, swap_test

DECODING = [name for name in available() if issubclass(get(name), Decoding)]


class Decoder:
    """Concatenates what it is given, or forgets the private codes."""

    def __init__(self, forgets=()):
        self.forgets = forgets

    def decode(self, parts):
        return {
            name: torch.cat(
                [codes[name] * (part not in self.forgets) for part, codes in parts.items()], 1
            )
            for name in parts["S"]
        }


@pytest.fixture
def truth(generator):
    values = generator.standard_normal((2000, 13))
    names = ["shared", *(f"private_{name}" for name in MODALITIES)]
    return dict(zip(names, np.split(values, [4, 7, 10], axis=1), strict=True))


def swapped(model, factors, *, leak=0.0):
    def parts(rows):
        return {
            "S": dict.fromkeys(MODALITIES, factors["shared"][rows]),
            "P": {
                name: factors[f"private_{name}"][rows] + leak * factors["shared"][rows][:, :3]
                for name in MODALITIES
            },
        }

    old, new = slice(0, 1000), slice(1000, None)
    return swap_test(
        model=model,
        parts=parts(old),
        factors={name: values[old] for name, values in factors.items()},
        new_parts=parts(new),
        new_factors={name: values[new] for name, values in factors.items()},
    )


def test_clean_codes_carry_their_factors_to_another_clip(truth):
    found = swapped(Decoder(), truth)
    assert found["swap_shared_follows"] > 0.99
    assert found["swap_private_follows"] > 0.99
    assert found["swap_shared_strays"] < 0
    assert found["swap_private_strays"] < 0


def test_a_leak_takes_the_shared_factors_along(truth):
    clean, leaking = (swapped(Decoder(), truth, leak=leak) for leak in (0.0, 1.0))
    assert leaking["swap_private_follows"] < clean["swap_private_follows"] - 0.2


def test_a_decoder_that_ignores_private_codes_follows_nothing(truth):
    found = swapped(Decoder(forgets=("P",)), truth)
    assert found["swap_shared_follows"] > 0.99
    assert abs(found["swap_private_follows"]) < 0.05


def test_without_a_decoder_nothing_is_swapped(truth):
    assert all(math.isnan(value) for value in swapped(object(), truth).values())


def test_models_with_decoders_of_their_parts_have_them():
    assert {"mind", "mird", "misa"} <= set(DECODING)


@pytest.mark.parametrize(
    "name", [*DECODING, "mind_paper", "mind_strong", "mind,noise_source=input"]
)
def test_whoever_decodes_can_be_swapped(name, small_data, normaliser):
    contender = find_contender(name)
    torch.manual_seed(0)
    model_class = get(contender.model)
    settings = plain_model_config(contender.model, dict(contender.settings))
    model = model_class(model_class.Config(**settings), small_data.dataset.dimensions)
    codes = {
        split: encode(
            model=model,
            normaliser=normaliser,
            dataset=small_data.dataset,
            index=small_data.positions[split][:150],
        ).parts
        for split in ("probe_train", "probe_test")
    }

    def first(split):
        return {group: values[:150] for group, values in small_data.factors_of(split).items()}

    found = swap_test(
        model=model,
        parts=codes["probe_train"],
        factors=first("probe_train"),
        new_parts=codes["probe_test"],
        new_factors=first("probe_test"),
    )
    assert all(math.isfinite(value) for value in found.values())

    tensors = {
        part: {modality: torch.from_numpy(code[:20]).float() for modality, code in row.items()}
        for part, row in codes["probe_test"].items()
    }
    rebuilt = model.decode(tensors)
    for part in "SP":
        rolled = {modality: code.roll(1, dims=0) for modality, code in tensors[part].items()}
        for modality, other in model.decode({**tensors, part: rolled}).items():
            assert not torch.allclose(other, rebuilt[modality])
