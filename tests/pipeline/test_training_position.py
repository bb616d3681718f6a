import json

import pytest
import torch

from pipeline.training_position import EpochPosition

CPU = torch.device("cpu")


def stored(position):
    tensors, values = position.as_plain()
    return EpochPosition.from_plain(tensors, json.loads(json.dumps(values)))


def test_it_comes_back_as_it_was():
    position = EpochPosition(
        steps=3, weights={"task": 1.0}, gradient_norms={"task": 0.1 + 0.2}, seconds=1.5
    )
    position.add({"term a/b": torch.tensor(1 / 3), "total": torch.tensor(2.0)})
    position.add({"total": torch.tensor(0.5)})
    position.store_generators(CPU)
    found = stored(position)
    assert (found.steps, found.weights, found.seconds) == (3, {"task": 1.0}, 1.5)
    assert found.gradient_norms == {"task": 0.1 + 0.2}
    assert {n: float(v) for n, v in found.sums.items()} == {
        "term a/b": pytest.approx(1 / 3),
        "total": 2.5,
    }


def test_random_numbers_go_on_where_they_were():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        torch.rand(7)
        position = EpochPosition()
        position.store_generators(CPU)
        expected = torch.randn(5)
        torch.manual_seed(2)
        stored(position).restore_generators(CPU)
        assert torch.equal(torch.randn(5), expected)


def test_at_the_start_generators_are_left_alone():
    with torch.random.fork_rng(devices=[]):
        before = torch.get_rng_state()
        stored(EpochPosition()).restore_generators(CPU)
        assert torch.equal(torch.get_rng_state(), before)


def test_what_is_missing_is_named():
    with pytest.raises(KeyError, match="steps"):
        EpochPosition.from_plain({}, {})
