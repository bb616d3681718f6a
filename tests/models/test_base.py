from dataclasses import dataclass

import pytest
import torch

from models.base import Losses, Output, SentimentModel, available, get, register
from models.errors import ModelError, RegistryError


@dataclass(frozen=True, kw_only=True)
class ConstantConfig:
    start: float = 0.0


class Constant(SentimentModel):
    name = "constant"
    Config = ConstantConfig

    def __init__(self, config, dimensions):
        super().__init__(config, dimensions)
        self.value = torch.nn.Parameter(torch.tensor(self.config.start))

    def forward(self, batch):
        self.require_modalities(batch)
        return Output(prediction=self.value.expand(len(batch)))

    def losses(self, batch, output, progress):
        error = (output.prediction - batch.target).abs().mean()
        return Losses(terms={"task": error}, weights={"task": 1.0})


def test_total_is_the_weighted_sum():
    losses = Losses(
        terms={"a": torch.tensor(2.0), "b": torch.tensor(3.0)}, weights={"a": 0.5, "b": -1.0}
    )
    assert losses.total.item() == pytest.approx(-2.0)


@pytest.mark.parametrize("weights", [{}, {"a": 1.0, "b": 1.0}, {"b": 1.0}])
def test_terms_and_weights_have_the_same_names(weights):
    with pytest.raises(ModelError, match=r"\['a'\]"):
        Losses(terms={"a": torch.tensor(2.0)}, weights=weights)


def test_no_terms_are_refused():
    with pytest.raises(ModelError, match="at least one"):
        Losses(terms={}, weights={})


@pytest.mark.parametrize("dimensions", [{}, {"smell": 3}, {"text": 0}])
def test_dimensions_must_make_sense(dimensions):
    with pytest.raises(ModelError, match="positive widths"):
        Constant(None, dimensions)


def test_config_of_another_model_is_refused():
    with pytest.raises(TypeError, match="ConstantConfig"):
        Constant(object(), {"text": 3})


def test_modalities_have_one_order():
    assert Constant(None, {"vision": 1, "text": 2}).modalities == ("text", "vision")


def test_subclass_without_a_name_is_refused():
    with pytest.raises(TypeError, match="must define name, Config"):

        class Nameless(SentimentModel):
            pass


def test_all_parameters_in_one_group_by_default():
    model = Constant(None, {"text": 1})
    (group,) = model.parameter_groups(0.1)
    assert group == {"params": [model.value], "lr": 0.1}


def test_the_hook_after_a_step_is_optional(make_batch, dimensions):
    batch = make_batch()
    model = Constant(None, dimensions)
    output = model(batch)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.after_step(batch, output, epoch=0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_registry_refuses_a_second_class_of_a_name():
    get("mind")
    impostor = type("Impostor", (Constant,), {"name": "mind"})
    with pytest.raises(RegistryError, match=r"taken by models\.mind\.MInD"):
        register(impostor)


def test_unknown_name_lists_what_there_is():
    assert "mind" in available()
    with pytest.raises(RegistryError, match=r"there are: .*mind"):
        get("mnid")
