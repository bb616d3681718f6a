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
        {"precision": 16},
        {"accumulate": 0},
        {"devices": 0},
        {"nodes": 0},
        {"seeds_at_once": 0},
        {"gradient_norms": -1},
        {"save_minutes": -0.1},
        {"save_minutes": math.inf},
        {"devices": 2, "seeds_at_once": 2},
        {"nodes": 4, "devices": 4, "min_batch": 31},
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


def test_identity_is_that_of_before_where_nothing_new_changes_values():
    # names of runs that are on disk depend on these
    assert set(TrainingConfig().identity) == {
        "max_epochs",
        "batch_size",
        "min_batch",
        "sorted_batches",
        "split_rate",
        "learning_rate",
        "weight_decay",
        "gradient_clip",
        "patience",
        "plateau",
        "selection",
    }


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ({"precision": "bf16"}, True),
        ({"accumulate": 2}, True),
        ({"compile": True}, True),
        ({"devices": 2}, True),
        ({"seeds_at_once": 2}, False),
        ({"gradient_norms": 0}, False),
        ({"save_minutes": 0.5}, False),
    ],
)
def test_what_may_change_values_is_part_of_the_identity(change, is_another):
    identity = TrainingConfig(**change).identity
    assert (identity != TrainingConfig().identity) == is_another
    assert json.loads(json.dumps(identity)) == identity


def test_ranks_are_counted_not_named():
    one, other = TrainingConfig(devices=4), TrainingConfig(devices=2, nodes=2)
    assert one.identity == other.identity
    assert one.ranks == 4


def test_precision_is_read_from_a_file():
    read = TypeAdapter(TrainingConfig).validate_python
    assert read({"precision": 32}).precision == 32
    assert read({"precision": "bf16"}).precision == "bf16"


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    with pytest.raises(ConfigError, match="no GPU"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == choose_device("cuda") == "cuda"
    assert choose_device("cpu") == "cpu"
