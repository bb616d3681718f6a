import pytest
import torch

from models.decoupled_baseline import DecoupledBaseline
from models.decoupled_config import DecoupledConfig
from models.decoupler import DecoupledSteps

SMALL = DecoupledConfig(step_width=4, heads=2, layers=1, self_attention_layers=1, text_dropout=0.5)


class Mean(torch.nn.Module):
    """An encoder that makes the same step of all steps."""

    def forward(self, sequence):
        total = sequence.values.sum(dim=1, keepdim=True)
        return total.expand_as(sequence.values)


class Plain(DecoupledBaseline):
    """Gates the means of private codes as they are."""

    name = "plain"

    @property
    def _private_width(self):
        return self.config.step_width

    def _encoder(self, modality):
        return Mean()

    def forward(self, batch):
        codes = self.decouple(batch)
        private = codes.means("private")
        heads = {name: self.private_heads[name](vector) for name, vector in private.items()}
        return self.fuse(codes, private, heads)


def test_parts_are_the_means_of_what_encoders_make(make_batch, dimensions):
    model = Plain(SMALL, dimensions).eval()
    batch = make_batch()
    output = model(batch)
    codes = model.decouple(batch)
    for name in dimensions:
        sequence = codes.steps[name]
        counts = sequence.mask.sum(dim=1, keepdim=True)
        torch.testing.assert_close(output.parts["S"][name], sequence.values.sum(dim=1))
        torch.testing.assert_close(output.parts["Z"][name], sequence.values.sum(dim=1) / counts)
    again = DecoupledSteps.of(output.extras, dimensions)
    assert torch.equal(again.private["audio"].values, codes.private["audio"].values)


def test_only_text_is_dropped_and_only_in_training(make_batch, dimensions):
    model, batch = Plain(SMALL, dimensions), make_batch()
    one, two = model.decouple(batch), model.decouple(batch)
    for name in dimensions:
        same = torch.equal(one.steps[name].values, two.steps[name].values)
        assert same == (name != "text")
    model.eval()
    steps = [model.decouple(batch).steps["text"].values for _ in range(2)]
    assert torch.equal(*steps)


def test_gates_bound_what_the_head_is_given(make_batch, dimensions):
    model, batch = Plain(SMALL, dimensions).eval(), make_batch()
    given = []
    model.head.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    model(batch)
    (vector,) = given
    assert vector.shape == (8, 3 * 4 + 3 * 4)
    assert 0.0 < vector.min() < vector.max() < 1.0


def test_losses_are_named_and_add_up(make_batch, dimensions):
    model, batch = Plain(SMALL, dimensions).eval(), make_batch()
    losses = model.losses(batch, model(batch), 0.0)
    assert set(losses.terms) == {
        "task",
        "shared_task",
        "private_task_text",
        "private_task_audio",
        "private_task_vision",
        "reconstruction",
        "cycle",
        "orthogonality",
        "margin",
    }
    # here S equals P in every step
    assert losses.terms["orthogonality"].item() == pytest.approx(3.0, rel=1e-5)
    weights = {"reconstruction": 0.1, "cycle": 0.1, "orthogonality": 0.01, "margin": 0.01}
    total = sum(weights.get(name, 1.0) * term.item() for name, term in losses.terms.items())
    assert losses.total.item() == pytest.approx(total, rel=1e-5)
