import dataclasses

import pytest
from pydantic import TypeAdapter, ValidationError

from models.mird_config import MIRDConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 0},
        {"audio_stride": 0},
        {"max_pieces": 0},
        {"n_mi": 0},
        {"estimator_width": 0},
        {"estimator_steps": 0},
        {"estimator_learning_rate": 0.0},
        {"text_layers": 0},
        {"dropout": 1.0},
        {"text_dropout": -0.1},
        {"beta": 0.0},
        {"text_rate": float("nan")},
        {"balance_floor": 0.0},
        {"information_weight": -1.0},
        {"vision_reconstruction_weight": float("nan")},
        {"attention": "mag"},
        {"language_encoder": "none"},
        {"information": "hsic"},
        {"balance": "exp"},
    ],
)
def test_values_outside_their_range_are_named(wrong):
    with pytest.raises(ValueError, match=f"outside their range: .*{next(iter(wrong))}"):
        MIRDConfig(**wrong)


@pytest.mark.parametrize("width", [7, 10])
def test_text_width_must_suit_the_heads(width):
    with pytest.raises(ValueError, match="text_width must be even and a multiple of text_heads=4"):
        MIRDConfig(text_width=width)


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        MIRDConfig().width = 3


def test_it_is_read_from_plain_values():
    reader = TypeAdapter(MIRDConfig)
    assert reader.validate_python({"attention": "none", "n_mi": 32}) == MIRDConfig(
        attention="none", n_mi=32
    )
    with pytest.raises(ValidationError, match="atention"):
        reader.validate_python({"atention": "none"})


def test_defaults_are_the_authors():
    config = MIRDConfig()
    assert (config.width, config.estimator_width, config.estimator_steps) == (64, 16, 5)
    assert (config.attention, config.beta, config.dropout) == ("sparsemax", 1.0, 0.5)
    assert (config.information, config.balance, config.n_mi) == ("club", "log", None)
