import pytest
import torch

from pipeline.dataset import PackedDataset
from pipeline.dataset_placement import place
from pipeline.errors import ConfigError
from pipeline.hosted_rows import HostedRagged
from pipeline.synthetic.token_text import TokenDataset


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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_takes_what_it_has_room_for(dataset):
    assert not is_hosted(place(dataset, device="cuda"))
    assert place(dataset, device="cuda").modalities["text"].values.is_cuda
    assert is_hosted(place(dataset, device="cuda", limit_bytes=0))
