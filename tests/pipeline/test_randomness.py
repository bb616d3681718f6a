import numpy as np
import pytest
import torch

from pipeline.randomness import mixed_seed, seeded


def test_what_is_drawn_within_changes_nothing_outside():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with seeded(8):
        first = torch.rand(2)
    assert torch.equal(torch.rand(4), expected)
    with seeded(8):
        assert torch.equal(torch.rand(2), first)
    with seeded(9):
        assert not torch.equal(torch.rand(2), first)


def test_an_error_within_puts_them_back_too():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with pytest.raises(RuntimeError), seeded(8):
        torch.rand(2) @ torch.rand(3)
    assert torch.equal(torch.rand(4), expected)


def test_related_parts_give_unrelated_seeds():
    seeds = {mixed_seed(seed, epoch) for seed in range(30) for epoch in range(30)}
    assert len(seeds) == 900
    # half of all bits differ between neighbours, as between random numbers
    flips = [(mixed_seed(0, e) ^ mixed_seed(0, e + 1)).bit_count() for e in range(200)]
    assert 27 < np.mean(flips) < 33
