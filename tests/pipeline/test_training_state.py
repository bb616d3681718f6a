from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from pipeline.errors import RunError, StoreError
from pipeline.training_state import (
    EpochRecord,
    SeedResult,
    TrainingState,
    as_floats,
    best_epoch,
    check_settings,
)


def record(epoch, error, test=None):
    return EpochRecord(
        epoch=epoch,
        terms={"task": 1 / 3},
        weights={"task": 1.0},
        total=1 / 3,
        gradient_norm=0.1,
        learning_rate=1e-3,
        valid_mae=error,
        seconds=0.5,
        test_mae=test,
    )


def fresh(settings="a", width=3):
    torch.manual_seed(0)
    model = nn.Linear(width, 1)
    return TrainingState(
        model=model,
        optimizer=AdamW(model.parameters(), lr=1e-2),
        settings=settings,
        history=[],
        best={},
    )


def advance(state, error):
    loss = state.model(torch.ones(2, state.model.in_features)).square().sum()
    loss.backward()
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.add(record(len(state.history), error))


@pytest.mark.parametrize(
    ("errors", "expected"), [([1.0], 0), ([3, 1, 2], 1), ([2, 1, 1], 1), ([3, 2, 1], 2)]
)
def test_the_first_of_the_best_is_selected(errors, expected):
    assert best_epoch([record(n, float(e)) for n, e in enumerate(errors)]) == expected


def test_the_oracle_selects_by_the_test_error():
    history = [record(0, 1.0, 0.5), record(1, 0.5, 0.4), record(2, 0.7, 0.4)]
    assert best_epoch(history, selection="test_oracle") == 1
    assert best_epoch([*history, record(3, 2.0, 0.3)], selection="test_oracle") == 3
    assert best_epoch([*history, record(3, 2.0, 0.3)]) == 1
    with pytest.raises(RunError, match="1 of 4 epochs"):
        best_epoch([*history, record(3, 0.1)], selection="test_oracle")


def test_the_best_weights_are_kept_while_training_goes_on():
    state = fresh()
    advance(state, 1.0)
    advance(state, 0.5)
    best = {name: value.clone() for name, value in state.model.state_dict().items()}
    advance(state, 0.7)
    assert torch.equal(state.best["weight"], best["weight"])
    assert not torch.equal(state.model.weight, best["weight"])


def test_a_restored_state_goes_on_in_the_same_bits(tmp_path):
    path = tmp_path / "state"
    state = fresh()
    for error in (1.0, 0.5, 0.7):
        advance(state, error)
    state.save(path)
    other = fresh()
    other.restore(path)
    assert other.history == state.history
    assert torch.equal(other.best["weight"], state.best["weight"])
    for one in (state, other):
        advance(one, 0.9)
    assert torch.equal(other.model.weight, state.model.weight)
    assert torch.equal(other.model.bias, state.model.bias)


def test_nothing_stored_is_a_start(tmp_path):
    state = fresh()
    state.restore(tmp_path / "none")
    assert (state.history, state.best) == ([], {})


def test_a_state_of_something_else_is_refused(tmp_path):
    path = tmp_path / "state"
    state = fresh()
    advance(state, 1.0)
    state.save(path)
    with pytest.raises(RunError, match=str(path)):
        fresh(settings="b").restore(path)
    with pytest.raises(StoreError, match=str(path)):
        fresh(width=4).restore(path)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(StoreError, match=str(path)):
        fresh().restore(path)


def test_a_result_comes_back_as_it_was(tmp_path):
    result = SeedResult(
        seed=4, settings="s", device="cpu", history=(record(0, 0.1 + 0.2), record(1, 0.2))
    )
    result.save(tmp_path / "r" / "result.json")
    assert SeedResult.load(tmp_path / "r" / "result.json") == result
    assert result.best_epoch == 1
    assert replace(result, history=result.history[:1]).best_epoch == 0


def test_settings_are_compared(tmp_path):
    check_settings(tmp_path, found="a", wanted="a")
    for found in ("b", None):
        with pytest.raises(RunError, match="other settings"):
            check_settings(tmp_path, found=found, wanted="a")


def test_scalars_come_in_order():
    found = as_floats({"b": torch.tensor(2.0, requires_grad=True), "a": torch.tensor(0.25)})
    assert list(found.items()) == [("b", 2.0), ("a", 0.25)]
