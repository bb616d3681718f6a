import numpy as np
import pytest
import torch

from pipeline.errors import DataError
from pipeline.formats.packing import pack_utterances
from pipeline.formats.utterance import Utterance, rows_of


def utterance(video, *, split="train", label=1.0, rows=2):
    values = np.full((rows, 3), float(rows))
    features = {"audio": rows_of(values, modality="audio")} if rows else {}
    return Utterance(video=video, split=split, label=label, features=features)


def test_features_labels_and_splits():
    dataset, split = pack_utterances(
        [
            utterance("a"),
            utterance("b", rows=0),
            utterance("c", split="test", rows=3),
            utterance("d", label=None),
            utterance("e", split=None),
            utterance("f", split="valid", label=-1.0),
        ],
        digest="x",
    )
    assert dataset.ids == ("a", "c", "d", "e", "f")
    assert dataset.modalities["audio"].offsets.tolist() == [0, 2, 5, 7, 9, 11]
    torch.testing.assert_close(
        dataset.labels, torch.tensor([1.0, 1.0, torch.nan, 1.0, -1.0]), equal_nan=True
    )
    assert (split.train, split.valid, split.test) == (("a",), ("f",), ("c",))
    assert split.source == "given"


def test_labels_alone_cannot_be_packed():
    with pytest.raises(DataError, match="no utterance has features"):
        pack_utterances([utterance("a", rows=0)], digest="x")


def test_a_folder_receives_the_same_data_set(tmp_path):
    given = [utterance("a"), utterance("b", rows=0), utterance("c", split="test", rows=3)]
    memory, split = pack_utterances(given, digest="0123456789abcdefgh")
    stored, again = pack_utterances(given, digest="0123456789abcdefgh", folder=tmp_path / "packed")
    assert [path.name for path in (tmp_path / "packed").iterdir()] == [
        "0123456789abcdef.safetensors"
    ]
    assert (stored.ids, stored.digest, again) == (memory.ids, memory.digest, split)
    assert torch.equal(stored.labels, memory.labels)
    for field in ("values", "valid", "offsets"):
        one, other = (getattr(data.modalities["audio"], field) for data in (stored, memory))
        assert torch.equal(one, other)
    with pytest.raises(DataError, match="no utterance has features"):
        pack_utterances([utterance("a", rows=0)], digest="x", folder=tmp_path / "packed")
    assert len(list((tmp_path / "packed").iterdir())) == 1
