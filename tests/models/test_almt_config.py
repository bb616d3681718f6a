import dataclasses

import pytest
from pydantic import TypeAdapter, ValidationError

from models.almt_config import ALMTConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 9},
        {"tokens": 0},
        {"hyper_layers": 0},
        {"fusion_layers": 0},
        {"heads": 0},
        {"hyper_head_width": 0},
        {"vision_stride": 0},
        {"dropout": 1.0},
        {"readout": "last"},
        {"regression": "l3"},
    ],
)
def test_values_outside_their_range_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ALMTConfig(**wrong)


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ALMTConfig().tokens = 3


def test_unknown_fields_are_refused_when_read():
    with pytest.raises(ValidationError, match="hyper_layer"):
        TypeAdapter(ALMTConfig).validate_python({"hyper_layer": 3})


def test_defaults_are_the_published_ones_for_mosi():
    config = ALMTConfig()
    assert (config.width, config.tokens, config.feedforward_width) == (128, 8, 128)
    assert (config.embedding_layers, config.hyper_layers, config.fusion_layers) == (1, 3, 2)
    assert (config.heads, config.hyper_head_width, config.regression) == (8, 16, "mse")
