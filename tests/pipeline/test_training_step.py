import shutil
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

import models.base
from models.base import Losses, Output, SentimentModel
from pipeline.checkpoint import build_model
from pipeline.dataset_statistics import fit_normaliser
from pipeline.errors import ConfigError
from pipeline.training import train_seed
from pipeline.training_loop import TrainingLoop
from pipeline.training_step import TrainingStep, as_float32

SMALL = {"width": 8, "layers": 1, "heads": 2}


@dataclass(frozen=True, kw_only=True)
class NoConfig:
    pass


class Scaled(SentimentModel):
    """Has an error function, scaled, which there is no bfloat16 for."""

    name = "scaled"
    Config = NoConfig

    def __init__(self, config, dimensions):
        super().__init__(config, dimensions)
        self.linear = nn.Linear(self.dimensions["text"], 1)

    def forward(self, batch):
        code = self.linear(batch.sequences["text"].values.mean(1))
        return Output(prediction=torch.special.erfcx(code).squeeze(1))

    def losses(self, batch, output, progress):
        error = (output.prediction - batch.target).abs().mean()
        return Losses(terms={"task": error}, weights={"task": 1.0})


@pytest.fixture
def make_loop(dataset, split, short):
    def make(**changed):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = build_model("mind", SMALL, dataset.dimensions)
        config = replace(short, **changed)
        return TrainingLoop(model=model, dataset=dataset, split=split, config=config, device="cpu")

    return make


def test_other_floating_point_types_become_float32():
    half = torch.ones(2, dtype=torch.bfloat16)
    output = as_float32(
        Output(
            prediction=half,
            parts={"S": {"text": half}},
            extras={"n": torch.tensor([1, 2]), "x": half},
        )
    )
    assert output.prediction.dtype == output.parts["S"]["text"].dtype == torch.float32
    assert output.extras["x"].dtype == torch.float32
    assert output.extras["n"].dtype == torch.int64


def test_bf16_is_inside_of_the_model_alone(make_loop):
    with torch.random.fork_rng(devices=[]):
        values = {}
        for precision in (32, "bf16"):
            torch.manual_seed(3)
            loop = make_loop(precision=precision)
            inside = []
            linear = next(m for m in loop.model.modules() if isinstance(m, nn.Linear))
            linear.register_forward_hook(lambda m, i, o, inside=inside: inside.append(o.dtype))
            losses = loop.wrapped_step(loop.train, 0.0)
            assert {value.dtype for value in losses.values()} == {torch.float32}
            assert loop.step.seen[1].prediction.dtype == torch.float32
            assert set(inside) == {torch.bfloat16 if precision == "bf16" else torch.float32}
            assert {p.dtype for p in loop.model.parameters()} == {torch.float32}
            values[precision] = float(losses["term task"].detach())
    # bfloat16 has 8 bits of a fraction; equal numbers would mean that nothing was computed in it
    assert values["bf16"] == pytest.approx(values[32], rel=0.03)
    assert values["bf16"] != values[32]


def test_a_training_in_bf16_is_near_one_in_float32(dataset, split, short, tmp_path, capfd):
    histories = {}
    for precision in (32, "bf16"):
        histories[precision] = train_seed(
            dataset=dataset,
            split=split,
            model_name="mind",
            model_config=SMALL,
            config=replace(short, precision=precision, max_epochs=2, learning_rate=1e-3),
            seed=0,
            folder=tmp_path / str(precision),
        ).history
    for found, expected in zip(histories["bf16"], histories[32], strict=True):
        assert found.total == pytest.approx(expected.total, rel=0.03)
        assert found.valid_mae == pytest.approx(expected.valid_mae, rel=0.03)
        assert found.gradient_norms.keys() == expected.gradient_norms.keys()
        assert found.gradient_norms == pytest.approx(expected.gradient_norms, rel=0.3, abs=0.01)
    assert histories["bf16"][0].total != histories[32][0].total
    assert capfd.readouterr() == ("", "")


def test_a_model_that_cannot_is_refused_by_name(dataset, split, short, tmp_path, monkeypatch):
    monkeypatch.setitem(models.base._REGISTRY, Scaled.name, Scaled)
    chosen = {
        "dataset": dataset,
        "split": split,
        "model_name": "scaled",
        "model_config": {},
        "seed": 0,
    }
    assert train_seed(**chosen, config=short, folder=tmp_path / "a").history
    with pytest.raises(ConfigError, match=r"'scaled' cannot .* bf16 .*precision to 32"):
        train_seed(**chosen, config=replace(short, precision="bf16"), folder=tmp_path / "b")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_model_has_the_losses_of_the_plain_one(dataset, split, masked_mean):
    model = build_model(masked_mean, {"dropout": 0.0}, dataset.dimensions)
    normaliser = fit_normaliser(dataset, dataset.positions(split.train))
    plain = TrainingStep(model, dataset, normaliser)
    compiled = TrainingStep(model, dataset, normaliser, compiled=True)
    assert list(compiled.state_dict()) == list(plain.state_dict())
    for number in (7, 11):
        index = dataset.positions(split.train[:number])
        gradients = []
        losses = compiled(index, 0.5), plain(index, 0.5)
        for one in losses:
            model.zero_grad()
            one["total"].backward()
            gradients.append([p.grad.clone() for p in model.parameters()])
        torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)
