import dataclasses

import pytest
from pydantic import TypeAdapter, ValidationError

from models.mult_config import MulTConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"audio_stride": 0},
        {"text_kernel": 0},
        {"vision_kernel": -1},
        {"step_width": 55},
        {"step_width": 15, "heads": 5},
        {"layers": 0},
        {"self_attention_layers": 0},
        {"heads": 0},
        {"embedding_dropout": 1.0},
        {"audio_attention_dropout": -0.1},
        {"regression": "huber"},
    ],
)
def test_values_outside_their_range_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MulTConfig(**wrong)


def test_all_short_kernels_are_named_together():
    with pytest.raises(ValueError, match=r"text_kernel.*audio_kernel"):
        MulTConfig(text_kernel=0, audio_kernel=0)


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        MulTConfig().layers = 3


def test_unknown_fields_are_refused_when_read():
    with pytest.raises(ValidationError, match="step_widht"):
        TypeAdapter(MulTConfig).validate_python({"step_widht": 3})
