"""Synthetic batches whose target can be read from every modality."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from models.batch import MODALITIES, Batch, PaddedSequence

DIMENSIONS = {"text": 12, "audio": 5, "vision": 4}
LENGTHS = {"text": 7, "audio": 40, "vision": 18}


def synthetic_batch(*, size: int = 8, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(size, generator=generator) * 6 - 3
    sequences = {}
    for name in MODALITIES:
        length, width = LENGTHS[name], DIMENSIONS[name]
        lengths = torch.randint(2, length + 1, (size,), generator=generator)
        lengths[0] = length
        mask = torch.arange(length) < lengths[:, None]
        values = torch.randn(size, length, width, generator=generator)
        values[..., 0] += target[:, None]
        sequences[name] = PaddedSequence(values=values * mask[..., None], mask=mask)
    return Batch(
        sequences=sequences,
        target=target,
        has_target=torch.ones(size, dtype=torch.bool),
        index=torch.arange(size),
    )


@pytest.fixture
def dimensions() -> dict[str, int]:
    return dict(DIMENSIONS)


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    return synthetic_batch


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a BERT of random weights, 120 vocabulary entries and 38 word pieces."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=120,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        initializer_range=0.2,
    )
    folder = tmp_path_factory.mktemp("tiny_bert")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
