import json
import math
from dataclasses import replace

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ConfigError
from pipeline.training_config import TrainingConfig, choose_device


@pytest.mark.parametrize(
    "change",
    [
        {"max_epochs": 0},
        {"batch_size": 1, "min_batch": 1},
        {"min_batch": 1},
        {"batch_size": 4, "min_batch": 5},
        {"split_rate": -1},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"weight_decay": -1e-9},
        {"gradient_clip": 0.0},
        {"patience": 0},
        {"plateau": -1},
        {"device": "tpu"},
        {"selection": "test"},
        {"seeds": ()},
        {"seeds": (1, 2, 1)},
    ],
)
def test_values_outside_their_range_are_named(change):
    with pytest.raises(ConfigError, match=next(reversed(change))):
        TrainingConfig(**change)


def test_an_unknown_field_is_refused_when_read():
    with pytest.raises(ValidationError, match="epochs"):
        TypeAdapter(TrainingConfig).validate_python({"epochs": 3})


def test_identity_has_neither_device_nor_seeds():
    config = TrainingConfig(device="cpu", seeds=(1,))
    assert config.identity == TrainingConfig(device="auto", seeds=(2, 3)).identity
    assert config.identity != replace(config, weight_decay=0.1).identity
    assert config.identity != replace(config, selection="test_oracle").identity
    assert json.loads(json.dumps(config.identity)) == config.identity
    assert set(config.identity) >= {"max_epochs", "min_batch", "gradient_clip", "plateau"}


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match="no GPU"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == "cuda"
    assert choose_device("cpu") == "cpu"
