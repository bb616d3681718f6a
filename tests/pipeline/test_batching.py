import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.batching import make_batches


@given(
    n=st.integers(1, 200),
    batch_size=st.integers(2, 40),
    smallest=st.integers(2, 40),
    seed=st.integers(0, 2**40),
)
def test_batches_hold_every_position_once(n, batch_size, smallest, seed):
    smallest = min(smallest, batch_size)
    index = torch.arange(n) * 3 + 1
    batches = make_batches(index=index, batch_size=batch_size, min_batch=smallest, seed=seed)
    assert sorted(torch.cat(batches).tolist()) == index.tolist()
    assert all(len(batch) == batch_size for batch in batches[:-1])
    if n >= smallest:
        assert min(len(batch) for batch in batches) >= smallest


def test_the_order_depends_on_the_seed_alone():
    def order(seed):
        return torch.cat(
            make_batches(index=torch.arange(50), batch_size=8, min_batch=2, seed=seed)
        ).tolist()

    first = order(1)
    torch.rand(3)
    assert order(1) == first
    assert order(2) != first
    assert first != sorted(first)


@given(
    n=st.integers(1, 200),
    batch_size=st.integers(2, 20),
    sorted_batches=st.integers(1, 9),
    seed=st.integers(0, 2**40),
)
def test_batches_of_like_lengths_hold_every_position_once(n, batch_size, sorted_batches, seed):
    index, lengths = torch.arange(n) + 5, torch.rand(n + 5)
    batches = make_batches(
        index=index,
        batch_size=batch_size,
        min_batch=2,
        seed=seed,
        lengths=lengths,
        sorted_batches=sorted_batches,
    )
    assert sorted(torch.cat(batches).tolist()) == index.tolist()
    assert sum(len(batch) != batch_size for batch in batches) <= 1


def test_sorting_saves_padding_and_keeps_the_order_of_batches_random():
    index = torch.arange(640)
    lengths = torch.rand(640, generator=torch.Generator().manual_seed(0))

    def padded(sorted_batches, seed=3):
        batches = make_batches(
            index=index,
            batch_size=16,
            min_batch=2,
            seed=seed,
            lengths=lengths,
            sorted_batches=sorted_batches,
        )
        return [float(lengths[batch].max()) for batch in batches]

    # 16 uniform numbers have a largest of 16/17; sorted all together each batch is as long as
    # its longest, and on average half of the longest of all
    assert sum(padded(1)) / 40 == pytest.approx(16 / 17, abs=0.02)
    assert sum(padded(40)) / 40 == pytest.approx(0.5 + 0.5 / 40, abs=0.03)
    assert sum(padded(10)) / 40 == pytest.approx(0.55, abs=0.03)
    assert padded(40) != sorted(padded(40))
    assert padded(10) != padded(10, seed=4)
