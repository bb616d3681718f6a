from dataclasses import dataclass

import pytest
import torch
from torch import nn

from models.base import Losses, Output, SentimentModel
from models.estimators import estimator_optimizer, fit_estimators


@dataclass(frozen=True, kw_only=True)
class RegressedConfig:
    steps: int = 1


class Regressed(SentimentModel):
    """The text's first step is the code; an estimator regresses the target on it."""

    name = "regressed"
    Config = RegressedConfig

    def __init__(self, config, dimensions):
        super().__init__(config, dimensions)
        self.encoder = nn.Linear(dimensions["text"], 2)
        self.estimator = nn.Linear(2, 1)
        self.estimator_steps = self.config.steps
        self.estimator_learning_rate = 0.05

    def forward(self, batch):
        code = self.encoder(batch.sequences["text"].values[:, 0])
        return Output(prediction=code[:, 0], parts={"Z": {"text": code}})

    def losses(self, batch, output, progress):
        error = (output.prediction - batch.target).abs().mean()
        return Losses(terms={"task": error}, weights={"task": 1.0})

    def estimator_parameters(self):
        return list(self.estimator.parameters())

    def estimator_loss(self, batch, output):
        if not batch.has_target.any():
            return None
        return (self.estimator(output.parts["Z"]["text"])[:, 0] - batch.target).square().mean()


@pytest.fixture
def model(dimensions):
    return Regressed(RegressedConfig(steps=4), dimensions)


def test_estimators_are_in_no_group_of_the_model(model):
    (group,) = model.parameter_groups(0.1)
    assert group["params"] == list(model.encoder.parameters())
    optimiser = estimator_optimizer(model=model)
    assert optimiser.param_groups[0]["params"] == list(model.estimator.parameters())
    assert optimiser.param_groups[0]["lr"] == 0.05


def test_a_model_without_estimators_has_no_optimiser(model, monkeypatch):
    monkeypatch.setattr(Regressed, "estimator_parameters", SentimentModel.estimator_parameters)
    assert estimator_optimizer(model=model) is None


def test_steps_equal_running_the_model_anew_each_time(model, make_batch, dimensions):
    batch = make_batch(size=16)
    other = Regressed(model.config, dimensions)
    other.load_state_dict(model.state_dict())
    loss = fit_estimators(
        model=model, optimizer=estimator_optimizer(model=model), batch=batch, output=model(batch)
    )
    optimiser = torch.optim.Adam(other.estimator.parameters(), lr=0.05)
    for _ in range(4):
        expected = other.estimator_loss(batch, other(batch))
        other.zero_grad()
        expected.backward()
        optimiser.step()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(model.estimator.weight, other.estimator.weight)


def test_the_model_keeps_its_weights_and_the_graph_of_its_output(model, make_batch):
    batch = make_batch()
    output = model(batch)
    before = model.encoder.weight.clone()
    fit_estimators(
        model=model, optimizer=estimator_optimizer(model=model), batch=batch, output=output
    )
    assert torch.equal(model.encoder.weight, before)
    assert all(parameter.grad is None for parameter in model.parameters())
    output.prediction.sum().backward()
    assert model.encoder.weight.grad.any()


def test_a_batch_without_a_loss_changes_nothing(model, make_batch):
    batch = make_batch()
    batch.has_target[:] = False
    before = model.estimator.weight.clone()
    optimiser = estimator_optimizer(model=model)
    assert (
        fit_estimators(model=model, optimizer=optimiser, batch=batch, output=model(batch)) is None
    )
    assert torch.equal(model.estimator.weight, before)
