from dataclasses import dataclass, replace

import pytest
import torch

from models.base import Losses, Output, SentimentModel, available, get, register
from models.errors import MissingModalityError, ModelError, RegistryError


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


def test_there_are_no_estimators_by_default(make_batch, dimensions):
    batch, model = make_batch(), Constant(None, dimensions)
    assert model.estimator_parameters() == []
    assert model.estimator_loss(batch, model(batch)) is None


def test_detached_output_has_the_same_values_without_a_graph():
    code = torch.ones(3, 2, requires_grad=True) * 2
    output = Output(prediction=code[:, 0], parts={"Z": {"text": code}}, extras={"noise": code + 1})
    cut = output.detach()
    tensors = [cut.prediction, cut.parts["Z"]["text"], cut.extras["noise"]]
    assert not any(tensor.requires_grad for tensor in tensors)
    assert [tensor.tolist() for tensor in tensors] == [
        tensor.tolist() for tensor in (code[:, 0], code, code + 1)
    ]
    assert output.prediction.requires_grad


def test_a_reader_of_token_ids_needs_them_instead_of_features(make_batch, dimensions, monkeypatch):
    batch, model = make_batch(), Constant(None, dimensions)
    model.require_modalities(batch)
    monkeypatch.setattr(Constant, "reads_token_ids", property(lambda self: True))
    with pytest.raises(MissingModalityError, match=r"lacks \['text'\] \(as token ids\)"):
        model.require_modalities(batch)
    sequences = {name: s for name, s in batch.sequences.items() if name != "text"}
    ids = torch.ones(len(batch), 3, dtype=torch.int64)
    model.require_modalities(replace(batch, sequences=sequences, token_ids=ids))


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
