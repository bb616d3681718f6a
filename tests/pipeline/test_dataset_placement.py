from dataclasses import replace
from math import inf

import pytest
import torch

from pipeline.dataset import PackedDataset
from pipeline.dataset_placement import place
from pipeline.errors import ConfigError
from pipeline.hosted_rows import HostedRagged
from pipeline.synthetic.token_text import TokenDataset
from pipeline.training import train_seed
from pipeline.training_config import TrainingConfig


def is_hosted(dataset):
    (found,) = {isinstance(one, HostedRagged) for one in dataset.modalities.values()}
    return found


def test_values_go_where_they_are_told(dataset):
    assert not is_hosted(place(dataset, device="cpu", data_on="device"))
    assert is_hosted(place(dataset, device="cpu", data_on="host"))


def test_auto_asks_the_limit(dataset):
    # 4 bytes a value
    size = sum(4 * ragged.values.numel() for ragged in dataset.modalities.values())
    assert dataset.value_bytes == size
    assert not is_hosted(place(dataset, device="cpu"))
    assert not is_hosted(place(dataset, device="cpu", limit_bytes=size))
    assert is_hosted(place(dataset, device="cpu", limit_bytes=size - 1))


def test_everything_else_stays(dataset):
    kept = place(dataset, device="cpu", data_on="host")
    assert (kept.ids, kept.digest, kept.dimensions) == (
        dataset.ids,
        dataset.digest,
        dataset.dimensions,
    )
    assert torch.equal(kept.lengths, dataset.lengths)
    for name, ragged in dataset.modalities.items():
        assert kept.modalities[name].values.data_ptr() == ragged.values.data_ptr()
    # back to one that is all on the device
    again = kept.to("cpu")
    assert not is_hosted(again)


def test_a_stored_data_set_is_placed_without_being_read(tmp_path, dataset):
    dataset.save(tmp_path / "data")
    stored = PackedDataset.load(tmp_path / "data")
    kept = place(stored, device="cpu", data_on="host")
    for name, ragged in stored.modalities.items():
        assert kept.modalities[name].values.data_ptr() == ragged.values.data_ptr()


def test_what_a_kind_of_data_set_adds_is_kept(dataset):
    rows = len(dataset.modalities["text"].values)
    made = TokenDataset(
        modalities=dataset.modalities,
        labels=dataset.labels,
        ids=dataset.ids,
        digest="d",
        words=torch.arange(rows),
    )
    kept = place(made, device="cpu", data_on="host")
    assert isinstance(kept, TokenDataset)
    assert torch.equal(kept.words, made.words)


def test_an_unknown_place_is_refused(dataset):
    with pytest.raises(ConfigError, match=r"'disk'.*'auto', 'device', 'host'"):
        place(dataset, device="cpu", data_on="disk")


@pytest.mark.parametrize("split_rate", [0, 1])
def test_training_does_not_depend_on_it(tmp_path, dataset, split, masked_mean, split_rate):
    labels = dataset.labels.clone()
    labels[dataset.positions(split.train[:5])] = torch.nan
    dataset = replace(dataset, labels=labels)
    identities, weights, results = [], [], []
    for name, settings in {
        "device": {"data_on": "device"},
        "host": {"data_on": "host"},
        "limit": {"data_limit_gigabytes": 0.0},
    }.items():
        config = TrainingConfig(
            max_epochs=2, batch_size=8, min_batch=2, split_rate=split_rate, seeds=(0,), **settings
        )
        identities.append(config.identity)
        result = train_seed(
            dataset=dataset,
            split=split,
            model_name=masked_mean,
            model_config={},
            config=config,
            seed=0,
            folder=tmp_path / name,
        )
        results.append([replace(record, seconds=0) for record in result.history])
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert identities[0] == identities[1] == identities[2]
    assert weights[0] == weights[1] == weights[2]
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize(
    "settings", [{"data_on": "disk"}, {"data_limit_gigabytes": -1.0}, {"data_limit_gigabytes": inf}]
)
def test_settings_outside_their_range_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        TrainingConfig(**settings)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_takes_what_it_has_room_for(dataset):
    assert not is_hosted(place(dataset, device="cuda"))
    assert place(dataset, device="cuda").modalities["text"].values.is_cuda
    assert is_hosted(place(dataset, device="cuda", limit_bytes=0))
