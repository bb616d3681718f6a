"""What every registered model promises; a new model is tested here by being registered."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.base import Output, SentimentModel, available, get
from models.batch import Batch, PaddedSequence
from models.errors import MissingModalityError, ModelError
from tests.contracts.term_gradients import TERM_GRADIENTS

DIMENSIONS = {"text": 10, "audio": 6, "vision": 5}
LENGTHS = {"text": 6, "audio": 33, "vision": 14}
# Parameters that no term's gradient reaches in the first step, by model, with the reason beside.
WITHOUT_GRADIENT: dict[str, set[str]] = {}
# The modality that a model cannot do without; it refuses to be built without it.
NEEDED = {"text_only": "text", "dlf": "text"}


def presets(name: str) -> list[str]:
    """Every preset of a model besides its default, as ``<name>:<preset>``."""
    field = get(name).Config.__dataclass_fields__.get("preset")
    found = () if field is None else get_args(field.type)
    return [f"{name}:{preset}" for preset in found if preset != field.default]


pytestmark = pytest.mark.parametrize(
    "name", [every for name in available() for every in (name, *presets(name))]
)


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def build(name: str, dimensions: dict[str, int] = DIMENSIONS) -> SentimentModel:
    model, _, preset = name.partition(":")
    config = get(model).Config(preset=preset) if preset else None
    return get(model)(config, dimensions)


def make_batch(size: int = 8) -> Batch:
    generator = torch.Generator().manual_seed(7)
    sequences = {}
    for modality, width in DIMENSIONS.items():
        length = LENGTHS[modality]
        lengths = torch.randint(1, length + 1, (size,), generator=generator)
        mask = torch.arange(length) < lengths[:, None]
        values = torch.randn(size, length, width, generator=generator) * mask[..., None]
        sequences[modality] = PaddedSequence(values=values, mask=mask)
    return Batch(
        sequences=sequences,
        target=torch.linspace(-3, 3, size),
        has_target=torch.ones(size, dtype=torch.bool),
        index=torch.arange(size),
    )


def pad(sequence: PaddedSequence, steps: int) -> PaddedSequence:
    return PaddedSequence(
        values=torch.nn.functional.pad(sequence.values, (0, 0, 0, steps)),
        mask=torch.nn.functional.pad(sequence.mask, (0, steps)),
    )


def losses_of(model: SentimentModel, batch: Batch, output: Output, progress: float) -> torch.Tensor:
    return model.losses(batch, output, progress).total


def total_loss(model: SentimentModel, batch: Batch, progress: float) -> torch.Tensor:
    return losses_of(model, batch, model(batch), progress)


def predict(model: SentimentModel, batch: Batch) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        return model(batch).prediction


def test_prediction_is_one_float_a_row(name):
    for size in (1, 5):
        prediction = build(name)(make_batch(size)).prediction
        assert prediction.shape == (size,)
        assert prediction.dtype == torch.float32


def test_padding_changes_nothing(name):
    batch, model = make_batch(), build(name)
    sequences = {modality: pad(s, 9) for modality, s in batch.sequences.items()}
    padded = predict(model, dataclasses.replace(batch, sequences=sequences))
    torch.testing.assert_close(padded, predict(model, batch), atol=1e-5, rtol=1e-4)


def test_order_of_rows_changes_nothing(name):
    batch, model = make_batch(), build(name)
    order = torch.tensor([3, 0, 7, 1, 6, 2, 5, 4])
    turned = Batch(
        sequences={
            modality: PaddedSequence(values=s.values[order], mask=s.mask[order])
            for modality, s in batch.sequences.items()
        },
        target=batch.target[order],
        has_target=batch.has_target[order],
        index=batch.index[order],
    )
    plain = predict(model, batch)
    torch.testing.assert_close(predict(model, turned), plain[order], atol=1e-5, rtol=1e-4)
    assert plain.std() > 1e-4


def test_every_parameter_gets_a_finite_gradient(name):
    batch, model = make_batch(), build(name)
    total_loss(model, batch, 0.5).backward()
    without = {key for key, p in model.named_parameters() if p.grad is None}
    apart = {id(p) for p in model.estimator_parameters()}
    estimators = {key for key, p in model.named_parameters() if id(p) in apart}
    assert without == WITHOUT_GRADIENT.get(name, set()) | estimators
    for key, parameter in model.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), key


def test_each_term_changes_the_parameters_that_it_is_for(name):
    batch, model = make_batch(), build(name)
    parameters = dict(model.named_parameters())
    terms = model.losses(batch, model(batch), 0.5).terms
    assert set(terms) == set(TERM_GRADIENTS[name])
    for term, value in terms.items():
        grads = (
            torch.autograd.grad(value, parameters.values(), retain_graph=True, allow_unused=True)
            if value.requires_grad
            else [None] * len(parameters)
        )
        reached = {key for key, grad in zip(parameters, grads, strict=True) if grad is not None}
        listed = TERM_GRADIENTS[name][term]
        assert reached == {key for key in parameters if f"{key}.".startswith(listed)}, term


def test_total_is_a_finite_scalar_throughout_training(name):
    batch, model = make_batch(), build(name)
    for progress in (0.0, 0.5, 1.0):
        losses = model.losses(batch, model(batch), progress)
        assert all(term.shape == () for term in losses.terms.values())
        assert all(torch.isfinite(term) for term in losses.terms.values())


@pytest.mark.slow
def test_overfits_eight_examples(name):
    batch, model, steps = make_batch(), build(name), 150
    before = (predict(model, batch) - batch.target).abs().mean()
    optimiser = torch.optim.AdamW(list(model.parameter_groups(1e-3)), weight_decay=0.0, fused=True)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, total_iters=steps)
    model.train()
    for step in range(steps):
        output = model(batch)
        loss = losses_of(model, batch, output, step / steps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
        with torch.no_grad():
            model.after_step(batch, output, epoch=step)
    after = (predict(model, batch) - batch.target).abs().mean()
    assert after < 0.2 < before


def test_saved_weights_predict_the_same(name, tmp_path: Path):
    batch, model, other = make_batch(), build(name), build(name)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    plain = predict(model, batch)
    assert not torch.equal(predict(other, batch), plain)
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert torch.equal(predict(other, batch), plain)


def test_bfloat16_predicts_what_float32_predicts(name):
    batch, model = make_batch(), build(name)
    plain = predict(model, batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = predict(model, batch)
        total = total_loss(model.train(), batch, 0.5)
    total.backward()
    assert (half.float() - plain).abs().max() < 0.02  # of targets from -3 to 3
    for key, parameter in model.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), key


def test_a_seed_decides_the_weights_after_some_steps(name):
    def trained(seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        batch, model = make_batch(), build(name).train()
        optimiser = torch.optim.AdamW(list(model.parameter_groups(1e-3)))
        for step in range(2):
            output = model(batch)
            optimiser.zero_grad()
            losses_of(model, batch, output, step / 2).backward()
            optimiser.step()
            with torch.no_grad():
                model.after_step(batch, output, epoch=step)
        return model.state_dict()

    first, again, other = trained(1), trained(1), trained(2)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("absent", sorted(DIMENSIONS))
def test_absent_modality_is_refused_by_name(name, absent):
    batch = make_batch()
    sequences = {m: s for m, s in batch.sequences.items() if m != absent}
    with pytest.raises(MissingModalityError, match=rf"lacks \['{absent}'\]"):
        build(name)(dataclasses.replace(batch, sequences=sequences))


@pytest.mark.parametrize("absent", sorted(DIMENSIONS))
def test_model_can_be_built_for_fewer_modalities(name, absent):
    dimensions = {m: width for m, width in DIMENSIONS.items() if m != absent}
    if NEEDED.get(name) == absent:
        with pytest.raises(ModelError, match=f"reads {absent}, the data has"):
            build(name, dimensions)
        return
    model, batch = build(name, dimensions), make_batch()
    total_loss(model, batch, 0.5).backward()
    assert model.modalities == tuple(dimensions)


@pytest.mark.parametrize("modality", sorted(DIMENSIONS))
def test_rows_that_lack_a_modality_are_finite(name, modality):
    batch, model = make_batch(), build(name)
    lacking = batch.sequences[modality]
    mask = lacking.mask.clone()
    mask[:3] = False
    empty = PaddedSequence(values=lacking.values * mask[..., None], mask=mask)
    batch = dataclasses.replace(batch, sequences={**batch.sequences, modality: empty})
    total = total_loss(model, batch, 0.5)
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(predict(model, batch)).all()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(grad).all() for grad in grads)


def test_batch_without_any_target_is_legal(name):
    batch, model = make_batch(), build(name)
    batch = dataclasses.replace(
        batch, target=torch.zeros(8), has_target=torch.zeros(8, dtype=torch.bool)
    )
    total = total_loss(model, batch, 0.5)
    total.backward()
    assert torch.isfinite(total)


def test_targets_of_unlabelled_rows_do_not_matter(name):
    batch, model = make_batch(), build(name).eval()
    has_target = torch.arange(8) < 5
    totals = []
    for filler in (0.0, 2.5):
        target = torch.where(has_target, batch.target, filler)
        torch.manual_seed(0)
        given = dataclasses.replace(batch, target=target, has_target=has_target)
        totals.append(total_loss(model, given, 0.5))
    assert torch.equal(totals[0], totals[1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_predicts_what_the_cpu_predicts(name):
    batch, model = make_batch(), build(name)
    plain = predict(model, batch)
    moved = predict(model.to("cuda"), batch.to("cuda"))
    torch.testing.assert_close(moved.cpu(), plain, atol=1e-4, rtol=1e-3)
