import pytest
import torch

from models.batch import Batch, PaddedSequence


def sequence(rows=2):
    return PaddedSequence(values=torch.zeros(rows, 3, 4), mask=torch.ones(rows, 3) > 0)


def batch(**changes):
    parts = {
        "sequences": {"audio": sequence()},
        "target": torch.zeros(2),
        "has_target": torch.ones(2) > 0,
        "index": torch.arange(2),
    }
    return Batch(**{**parts, **changes})


def test_length_is_the_number_of_utterances():
    assert len(batch()) == 2


@pytest.mark.parametrize(
    ("values", "mask", "message"),
    [
        (torch.zeros(2, 3), torch.ones(2, 3) > 0, r"got \(2, 3\)"),
        (torch.zeros(2, 3, 4), torch.ones(2, 4) > 0, r"\(2, 4\)"),
        (torch.zeros(2, 3, 4), torch.ones(2, 3), "float32"),
    ],
)
def test_sequence_refuses_shapes_that_disagree(values, mask, message):
    with pytest.raises(ValueError, match=message):
        PaddedSequence(values=values, mask=mask)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequences": {"smell": sequence()}}, "'smell'"),
        ({"sequences": {"audio": sequence(3)}}, "'audio': 3"),
        ({"index": torch.arange(5)}, "'index': 5"),
        ({"has_target": torch.ones(1) > 0}, "'has_target': 1"),
    ],
)
def test_batch_refuses_parts_that_disagree(changes, message):
    with pytest.raises(ValueError, match=message):
        batch(**changes)


@pytest.mark.parametrize("ids", [None, torch.ones(2, 5, dtype=torch.int64)])
def test_moving_takes_every_tensor_along(ids):
    moved = batch(token_ids=ids).to("meta")
    tensors = [moved.target, moved.has_target, moved.index]
    tensors += [moved.sequences["audio"].values, moved.sequences["audio"].mask]
    tensors += [] if ids is None else [moved.token_ids]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert (moved.token_ids is None) == (ids is None)
