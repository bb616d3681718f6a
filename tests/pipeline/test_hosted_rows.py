import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.sequence import FeatureSequence
from pipeline.dataset import PackedDataset
from pipeline.dataset_placement import place
from pipeline.examples import Example
from pipeline.hosted_rows import HostedRagged
from pipeline.normalise import Normaliser

WIDTHS = {"text": 2, "audio": 3, "vision": 1}


def normaliser():
    return Normaliser(
        mean={name: torch.linspace(-1, 1, width) for name, width in WIDTHS.items()},
        scale={name: torch.linspace(0.3, 2, width) for name, width in WIDTHS.items()},
    )


def sequence(rows, width, generator):
    start = np.arange(rows) / 10
    return FeatureSequence(
        values=generator.normal(size=(rows, width)).astype(np.float32),
        times=np.stack([start, start + 0.1], 1),
        names=tuple(f"c{n}" for n in range(width)),
        valid=generator.random(rows) < 0.8,
    )


def make(lengths, seed=0):
    generator = np.random.default_rng(seed)
    examples = [
        Example(
            id=f"u{number}",
            label=float(number),
            features={
                modality: sequence(rows, WIDTHS[modality], generator)
                for modality, rows in row.items()
            },
        )
        for number, row in enumerate(lengths)
    ]
    return PackedDataset.pack(examples, digest="d")


def check_same(one, other):
    """Bit for bit, the sign of zeros too."""
    assert set(one.sequences) == set(other.sequences)
    for name, padded in one.sequences.items():
        found = other.sequences[name]
        assert torch.equal(padded.mask, found.mask)
        assert padded.values.numpy().tobytes() == found.values.numpy().tobytes()
    assert torch.equal(one.target, other.target)
    assert torch.equal(one.index, other.index)
    assert (one.token_ids is None) == (other.token_ids is None)
    if one.token_ids is not None:
        assert torch.equal(one.token_ids, other.token_ids)


LENGTHS = st.lists(
    st.dictionaries(st.sampled_from(sorted(WIDTHS)), st.integers(0, 5)), min_size=1, max_size=6
).filter(any)


@settings(max_examples=60)
@given(LENGTHS, st.data())
def test_batches_from_the_host_are_those_of_the_device(lengths, data):
    dataset = make(lengths)
    kept = place(dataset, device="cpu", data_on="host")
    size = len(lengths)
    indices = st.lists(st.integers(0, size - 1), min_size=1, max_size=8).map(torch.tensor)
    parts = data.draw(st.lists(indices, max_size=4))
    for index, part in zip(parts, kept.ahead(parts), strict=True):
        assert part is index
        check_same(kept.batch(part, normaliser()), dataset.batch(index, normaliser()))
    index = data.draw(indices)
    check_same(kept.batch(index, normaliser()), dataset.batch(index, normaliser()))


def test_what_was_staged_is_not_taken_for_another_batch():
    dataset = make([{"text": 3}, {"text": 1}, {"text": 2}])
    kept = place(dataset, device="cpu", data_on="host")
    first, second = torch.tensor([0, 1]), torch.tensor([2, 1])
    for _ in kept.ahead([first, second]):
        check_same(kept.batch(second, normaliser()), dataset.batch(second, normaliser()))
    # an equal index is the same batch, though it is another tensor
    next(iter(kept.ahead([first])))
    check_same(kept.batch(first.clone(), normaliser()), dataset.batch(first, normaliser()))


def test_the_next_batch_is_read_while_one_is_computed():
    dataset = make([{"text": 3}, {"text": 1}, {"text": 2}])
    kept = place(dataset, device="cpu", data_on="host")
    read = threading.Event()
    wanted = torch.tensor([2])

    class Watched(HostedRagged):
        def fetch(self, index, on_host):
            staged = super().fetch(index, on_host)
            if index is wanted:
                read.set()
            return staged

    text = kept.modalities["text"]
    watched = Watched(**{n: getattr(text, n) for n in HostedRagged.__dataclass_fields__})
    kept = replace(kept, modalities={"text": watched})
    parts = kept.ahead([torch.tensor([0]), wanted])
    next(parts)
    assert read.wait(10)
    parts.close()


def test_word_pieces_are_gathered_too():
    text = FeatureSequence(
        values=np.array([[101.0], [2.0**24 - 1]], np.float32),
        times=np.array([[0.0, 1], [1, 2]]),
        names=("token_id",),
        valid=np.array([True, True]),
    )
    examples = [
        Example(id="a", label=None, features={}),
        Example(id="b", label=1.0, features={"text": text}),
    ]
    dataset = PackedDataset.pack(examples, "d")
    kept = place(dataset, device="cpu", data_on="host")
    index = torch.tensor([0, 1])
    batch = kept.batch(index, normaliser())
    assert batch.token_ids.tolist() == [[0, 0], [101, 2**24 - 1]]
    check_same(batch, dataset.batch(index, normaliser()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_sent_the_same():
    generator = np.random.default_rng(1)
    dataset = make([{n: int(generator.integers(0, 40)) for n in WIDTHS} for _ in range(50)])
    moved = place(dataset, device="cuda", data_on="device")
    kept = place(dataset, device="cuda", data_on="host")
    assert kept.labels.is_cuda
    assert not kept.modalities["text"].values.is_cuda
    parts = list(torch.split(torch.randperm(50).cuda(), 7))
    for part in kept.ahead(parts):
        found, expected = kept.batch(part, normaliser()), moved.batch(part, normaliser())
        check_same(found.to("cpu"), expected.to("cpu"))
    index = torch.arange(50, device="cuda")
    for name, ragged in moved.modalities.items():
        for one, other in zip(
            ragged.measured(index), kept.modalities[name].measured(index), strict=True
        ):
            assert torch.equal(one, other)
