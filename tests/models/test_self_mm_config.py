import dataclasses

import pytest
from pydantic import TypeAdapter, ValidationError

from models.self_mm_config import SelfMMConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"audio_width": 0},
        {"vision_state_width": 0},
        {"joint_head_width": -1},
        {"audio_stride": 0},
        {"max_pieces": 0},
        {"text_dropout": 1.0},
        {"recurrent_dropout": -0.1},
        {"text_rate": 0.0},
        {"label_limit": 0.0},
        {"ratio_epsilon": 0.0},
        {"vision_rate": float("nan")},
    ],
)
def test_values_outside_their_range_are_named(wrong):
    with pytest.raises(ValueError, match=f"outside their range: .*{next(iter(wrong))}"):
        SelfMMConfig(**wrong)


def test_all_wrong_values_are_named_together():
    with pytest.raises(ValueError, match=r"audio_width.*vision_rate"):
        SelfMMConfig(audio_width=0, vision_rate=-1.0)


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SelfMMConfig().audio_width = 3


def test_unknown_fields_are_refused_when_read():
    with pytest.raises(ValidationError, match="audio_widht"):
        TypeAdapter(SelfMMConfig).validate_python({"audio_widht": 3})


def test_defaults_are_the_published_ones_for_mosi():
    config = SelfMMConfig()
    assert (config.audio_state_width, config.vision_state_width) == (16, 32)
    assert [
        getattr(config, f"{name}_head_width") for name in ("joint", "text", "audio", "vision")
    ] == [128, 32, 16, 32]
    rates = [config.text_rate, config.audio_rate, config.vision_rate]
    assert [1e-3 * rate for rate in rates] == pytest.approx([5e-5, 5e-3, 5e-3])
