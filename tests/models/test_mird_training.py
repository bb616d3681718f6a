import dataclasses

import numpy as np
import pytest
import torch

from extractors.sequence import FeatureSequence
from pipeline.checkpoint import load_checkpoint
from pipeline.dataset import PackedDataset
from pipeline.examples import Example
from pipeline.splits import Split
from pipeline.training import train_seed
from pipeline.training_config import TrainingConfig

SMALL = {"width": 8, "text_width": 16, "estimator_width": 6, "audio_stride": 2}


@pytest.fixture
def dataset():
    """Forty utterances, the last twelve without a label."""
    generator, examples = np.random.default_rng(0), []
    for number in range(40):
        label = float(np.clip(generator.normal() * 1.5, -3, 3))
        features = {}
        for name, width in {"text": 6, "audio": 4, "vision": 3}.items():
            rows = int(generator.integers(3, 12))
            start = np.arange(rows) / 25
            features[name] = FeatureSequence(
                values=(generator.normal(size=(rows, width)) + 0.6 * label).astype(np.float32),
                times=np.stack([start, start + 0.04], axis=1),
                names=tuple(f"c{column}" for column in range(width)),
                valid=np.ones(rows, np.bool_),
            )
        known = None if number >= 28 else label
        examples.append(Example(id=f"u{number:03}", label=known, features=features))
    return PackedDataset.pack(examples, digest="synthetic")


@pytest.fixture
def run(dataset, tmp_path):
    """Train in ``tmp_path / folder``; return what is kept and the result."""
    split = Split(train=dataset.ids[:18], valid=dataset.ids[18:28], test=())

    def start(folder, *, on_epoch=None, split_rate=2, **model_config):
        result = train_seed(
            dataset=dataset,
            split=split,
            model_name="mird",
            model_config=SMALL | model_config,
            config=TrainingConfig(
                max_epochs=4,
                batch_size=6,
                min_batch=4,
                split_rate=split_rate,
                learning_rate=1e-3,
                weight_decay=0.01,
                patience=4,
                device="cpu",
            ),
            seed=0,
            folder=tmp_path / folder,
            on_epoch=on_epoch,
        )
        return load_checkpoint(tmp_path / folder / "model.safetensors").model.state_dict(), result

    return start


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


def test_the_loop_fits_estimators_and_reports_their_loss(run):
    weights, result = run("club")
    losses = [record.terms["estimators"] for record in result.history]
    assert losses[-1] < losses[0]
    assert {record.weights["estimators"] for record in result.history} == {0.0}
    assert set(result.domain_shift) == {"text", "audio", "vision"}
    slower, _ = run("slower", estimator_steps=1)
    assert not same(weights, slower)
    _, bare = run("none", information="none")
    assert "estimators" not in bare.history[0].terms


def test_unlabelled_utterances_change_the_training(run):
    weights, _ = run("with")
    alone, result = run("without", split_rate=0)
    assert not same(weights, alone)
    assert result.domain_shift == {}


class Stop(Exception):  # noqa: N818
    """Stands for whatever ends a process."""


def test_stopped_training_goes_on_to_the_same_bits(run):
    weights, whole = run("whole")

    def stop(record):
        if record.epoch == 1:
            raise Stop

    with pytest.raises(Stop):
        run("halves", on_epoch=stop)
    resumed, result = run("halves")
    assert same(resumed, weights)
    assert [dataclasses.replace(r, seconds=0) for r in result.history] == [
        dataclasses.replace(r, seconds=0) for r in whole.history
    ]
