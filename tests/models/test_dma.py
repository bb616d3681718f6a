import dataclasses
from itertools import combinations

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from extractors.sequence import FeatureSequence
from models.base import get
from models.batch import MODALITIES
from models.dma import DMA, DMAConfig
from models.losses.barlow import barlow_twins_loss
from models.self_mm import SelfMM
from models.self_mm_config import SelfMMConfig
from pipeline.checkpoint import load_checkpoint, plain_model_config
from pipeline.config import load_config
from pipeline.dataset import PackedDataset
from pipeline.examples import Example
from pipeline.splits import Split
from pipeline.training import train_seed
from pipeline.training_config import TrainingConfig

PAIRS = (("audio", "vision"), ("text", "audio"), ("text", "vision"))
WIDTHS = {"text": 6, "audio": 4, "vision": 3}


class Stop(Exception):  # noqa: N818
    """Stands for whatever ends a process."""


def changed(**values):
    return DMAConfig(**{"text_dropout": 0.0, "audio_dropout": 0.0} | values)


def numpy_covariance_loss(a, b, matrix):
    return ((matrix(a.T) - matrix(b.T)) ** 2).sum() / (4 * a.shape[1] ** 2)


def projected(model, output):
    return {
        name: output.parts["Z"][name].detach().numpy() @ layer.weight.detach().numpy().T
        for name, layer in model.projections.items()
    }


def reached_by(term, model):
    model.zero_grad()
    term.backward(retain_graph=True)
    return {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}


def test_registered_by_name():
    assert get("dma") is DMA


@pytest.mark.parametrize(
    "pairs", [chosen for size in (1, 2, 3) for chosen in combinations(PAIRS, size)]
)
def test_covariance_term_is_the_mean_over_the_pairs(make_batch, dimensions, pairs):
    batch, model = make_batch(), DMA(changed(covariance_pairs=pairs), dimensions)
    output = model(batch)
    U = projected(model, output)
    assert set(U) == {name for pair in pairs for name in pair}
    assert all(u.shape == (8, 32) for u in U.values())
    expected = np.mean([numpy_covariance_loss(U[a], U[b], np.cov) for a, b in pairs])
    term = model.losses(batch, output, 0.5).terms["covariance"]
    assert term.item() == pytest.approx(expected, rel=1e-4)


def test_alignment_may_be_of_correlations_or_across(make_batch, dimensions):
    batch = make_batch()
    # wide enough that no feature is constant over the batch
    wide = {"audio_head_width": 64, "vision_head_width": 64, "covariance_width": 5}
    for alignment in ("coral_norm", "barlow"):
        model = DMA(changed(alignment=alignment, **wide), dimensions)
        with torch.no_grad():
            for layer in model.projections.values():
                layer.weight.mul_(100.0)
        output = model(batch)
        term = model.losses(batch, output, 0.5).terms["covariance"].item()
        U = projected(model, output)
        if alignment == "barlow":
            a, b = (torch.from_numpy(U[name]) for name in ("audio", "vision"))
            assert term == pytest.approx(barlow_twins_loss(a=a, b=b).item(), rel=1e-4)
        else:
            expected = numpy_covariance_loss(U["audio"], U["vision"], np.corrcoef)
            assert term == pytest.approx(expected, rel=0.02)


def test_covariance_reaches_its_pair_and_nothing_else(make_batch, dimensions):
    batch = make_batch()
    model = DMA(changed(covariance_pairs=(("text", "audio"),)), dimensions)
    term = model.losses(batch, model(batch), 0.5).terms["covariance"]
    prefixes = (
        *("heads.text.features.", "heads.audio.features.", "encoders.audio."),
        *("projections.text.", "projections.audio."),
    )
    expected = {name for name, _ in model.named_parameters() if name.startswith(prefixes)}
    # a covariance does not see a constant, but a bias in front of a ReLU is none
    assert reached_by(term, model) == expected


def test_total_adds_the_weighted_covariance_to_self_mm(make_batch, dimensions):
    batch, model = make_batch(), DMA(changed(covariance_weight=7.0), dimensions)
    output = model(batch)
    losses = model.losses(batch, output, 0.5)
    of_self_mm = SelfMM.losses(model, batch, output, 0.5)
    torch.testing.assert_close(losses.total, of_self_mm.total + 7 * losses.terms["covariance"])
    assert losses.terms.keys() - of_self_mm.terms.keys() == {"covariance"}


def test_an_unlabelled_batch_trains_the_alignment_alone(make_batch, dimensions):
    batch, model = make_batch(), DMA(changed(), dimensions)
    batch = dataclasses.replace(
        batch,
        target=torch.full((8,), float("nan")),
        has_target=torch.zeros(8, dtype=torch.bool),
    )
    losses = model.losses(batch, model(batch), 0.5)
    assert losses.total.item() == pytest.approx(losses.terms["covariance"].item())
    assert reached_by(losses.total, model) == reached_by(losses.terms["covariance"], model)


def test_training_brings_covariances_together(make_batch, dimensions):
    batch = make_batch(size=32)
    distances = {}
    for weight in (1e-9, 100.0):
        torch.manual_seed(0)
        model = DMA(changed(covariance_weight=weight), dimensions)
        optimiser = torch.optim.AdamW(list(model.parameter_groups(1e-3)), weight_decay=0.0)
        for _ in range(40):
            losses = model.losses(batch, model(batch), 0.0)
            optimiser.zero_grad()
            losses.total.backward()
            optimiser.step()
        distances[weight] = losses.terms["covariance"].item()
    assert distances[100.0] < 0.1 * distances[1e-9]


@pytest.mark.parametrize("absent", MODALITIES)
def test_pairs_that_the_data_does_not_have_are_passed_over(make_batch, dimensions, absent):
    there = {name: width for name, width in dimensions.items() if name != absent}
    model = DMA(changed(covariance_pairs=PAIRS), there)
    assert model.pairs == tuple(pair for pair in PAIRS if absent not in pair)
    batch = make_batch()
    assert "covariance" in model.losses(batch, model(batch), 0.5).terms
    single = DMA(changed(), {absent: dimensions[absent]})
    assert "covariance" not in single.losses(batch, single(batch), 0.5).terms
    assert not len(single.projections)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"covariance_weight": -0.1}, "covariance_weight must be >= 0"),
        ({"covariance_weight": float("nan")}, "covariance_weight must be >= 0"),
        ({"covariance_width": 0}, "covariance_width"),
        ({"alignment": "cosine"}, "'cosine'"),
        ({"covariance_pairs": (("audio", "audio"),)}, "distinct pairs"),
        ({"covariance_pairs": (("audio", "smell"),)}, "smell"),
        ({"covariance_pairs": (("audio", "text"), ("text", "audio"))}, "distinct pairs"),
        ({"audio_width": 0}, "audio_width"),
    ],
)
def test_config_refuses_what_cannot_be_built(wrong, message):
    with pytest.raises(ValueError, match=message):
        DMAConfig(**wrong)


def test_config_comes_back_from_plain_values():
    config = DMAConfig(covariance_pairs=PAIRS[1:], alignment="barlow")
    plain = plain_model_config("dma", config)
    assert plain["covariance_pairs"] == [["text", "audio"], ["text", "vision"]]
    assert TypeAdapter(DMAConfig).validate_python(plain) == config
    with pytest.raises(ValidationError, match="covariance_wieght"):
        TypeAdapter(DMAConfig).validate_python({"covariance_wieght": 1.0})


def test_it_is_chosen_by_a_setting():
    chosen = {"model.name": "dma", "model.settings.covariance_pairs": [["text", "audio"]]}
    assert load_config(None, chosen).model.name == "dma"


def make_sequence(values):
    start = np.arange(len(values)) / 25
    return FeatureSequence(
        values=values.astype(np.float32),
        times=np.stack([start, start + 0.04], axis=1),
        names=tuple(f"c{number}" for number in range(values.shape[1])),
        valid=np.ones(len(values), np.bool_),
    )


@pytest.fixture
def dataset():
    """Forty utterances, the last eight without a label."""
    generator, examples = np.random.default_rng(0), []
    for number in range(40):
        label = float(np.clip(generator.normal() * 1.5, -3, 3))
        features = {
            name: make_sequence(
                generator.standard_normal((int(generator.integers(3, 12)), width)) + 0.6 * label
            )
            for name, width in WIDTHS.items()
        }
        known = None if number >= 32 else label
        examples.append(Example(id=f"u{number:03}", label=known, features=features))
    return PackedDataset.pack(examples, digest="synthetic")


@pytest.fixture
def train(dataset, tmp_path):
    """Train in ``tmp_path / folder`` and return the weights that were kept."""
    split = Split(train=dataset.ids[:18] + dataset.ids[32:], valid=dataset.ids[18:32], test=())

    def start(folder, model_name="dma", on_epoch=None, **model_config):
        # the rate is small enough for the last epoch to be the best, whose labels are kept
        config = TrainingConfig(
            max_epochs=6, batch_size=6, min_batch=4, learning_rate=1e-3, patience=6, device="cpu"
        )
        train_seed(
            dataset=dataset,
            split=split,
            model_name=model_name,
            model_config=model_config,
            config=config,
            seed=0,
            folder=tmp_path / folder,
            on_epoch=on_epoch,
        )
        return load_checkpoint(tmp_path / folder / "model.safetensors").model

    return start


def same(left, right):
    one, other = left.state_dict(), right.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_the_training_loop_drives_the_labels(train, dataset):
    labels = train("a").labels
    assert labels.known.nonzero().flatten().tolist() == list(range(18))
    assert torch.equal(labels.targets[:18], dataset.labels[:18])
    for name in MODALITIES:
        generated = labels.get_buffer(f"labels_{name}")
        assert (generated[:18] - dataset.labels[:18]).abs().max() > 0.1
        assert generated.abs().max() <= 3


def test_a_weight_of_zero_is_self_mm_bit_for_bit(train):
    without, self_mm = train("zero", covariance_weight=0.0), train("self_mm", "self_mm")
    assert type(without) is DMA
    assert type(self_mm) is SelfMM
    assert same(without, self_mm)
    aligned = train("one").state_dict()
    plain = self_mm.state_dict()
    assert any(not torch.equal(aligned[name], plain[name]) for name in plain)


def test_settings_of_self_mm_are_those_of_dma():
    own = {field.name for field in dataclasses.fields(DMAConfig)}
    assert {field.name for field in dataclasses.fields(SelfMMConfig)} < own


def test_stopped_after_any_epoch_it_ends_in_the_same_bits(train):
    whole = train("whole", covariance_pairs=PAIRS)
    for at in (0, 2, 4):

        def stop(record, last=at):
            if record.epoch == last:
                raise Stop

        with pytest.raises(Stop):
            train(f"stopped{at}", on_epoch=stop, covariance_pairs=PAIRS)
        assert same(train(f"stopped{at}", covariance_pairs=PAIRS), whole)
