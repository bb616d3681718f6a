import dataclasses

import pytest
from pydantic import TypeAdapter, ValidationError

from models.confede_config import ConFEDEConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 12},
        {"width": 0},
        {"heads": 3},
        {"vision_layers": 0},
        {"audio_stride": 0},
        {"dropout": 1.0},
        {"neighbours": 0},
        {"class_interval": 0.0},
        {"temperature": -0.5},
        {"contrastive_weight": -0.1},
        {"unimodal_weight": -0.1},
    ],
)
def test_values_outside_their_range_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ConFEDEConfig(**wrong)


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ConFEDEConfig().neighbours = 3


def test_unknown_fields_are_refused_when_read():
    with pytest.raises(ValidationError, match="neighbors"):
        TypeAdapter(ConFEDEConfig).validate_python({"neighbors": 3})


def test_weights_and_pairs_are_the_published_ones():
    config = ConFEDEConfig()
    assert (config.contrastive_weight, config.unimodal_weight) == (0.1, 0.01)
    assert (config.temperature, config.neighbours, config.regression) == (0.5, 2, "mse")
