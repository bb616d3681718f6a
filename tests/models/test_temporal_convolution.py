import numpy as np
import pytest
import torch

from models.batch import PaddedSequence
from models.temporal_convolution import TemporalConvolution


def sequence(*rows, length):
    """One row of 0 and 1 a sequence: which of its steps are valid. Invalid ones are zeros."""
    mask = torch.zeros(len(rows), length, dtype=torch.bool)
    for number, row in enumerate(rows):
        mask[number, : len(row)] = torch.tensor([step == "1" for step in row], dtype=torch.bool)
    values = torch.randn(len(rows), length, 2, generator=torch.Generator().manual_seed(1))
    return PaddedSequence(values=(values * mask[..., None]).double(), mask=mask)


def windows(frames, weight):
    """Loop over windows; weight is (d, width of a frame, kernel)."""
    kernel = weight.shape[2]
    if 0 < len(frames) < kernel:
        frames = np.pad(frames, ((0, kernel - len(frames)), (0, 0)))
    found = [
        sum(weight[:, :, j] @ frames[start + j] for j in range(kernel))
        for start in range(len(frames) - kernel + 1)
    ]
    return np.array(found).reshape(-1, len(weight))


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("kernel", [1, 3])
def test_equals_a_loop_over_the_valid_steps_of_each_row(kernel, padding):
    given = sequence("111111", "0110101", "11", "1", "", length=7 + padding)
    module = TemporalConvolution(input_width=2, width=4, kernel=kernel).double()
    found = module(given)
    weight = module.convolution.weight.detach().numpy()
    for row in range(5):
        frames = given.values[row][given.mask[row]].numpy()
        expected = windows(frames, weight)
        length = int(found.mask[row].sum())
        assert length == len(expected)
        assert found.mask[row, :length].all()
        np.testing.assert_allclose(found.values[row, :length].detach().numpy(), expected)
        assert not found.values[row, length:].any()


def test_stride_equals_averaging_beforehand():
    given = sequence("1" * 12, "1" * 8, length=12)
    module = TemporalConvolution(input_width=2, width=3, kernel=2, stride=4).double()
    means = given.values.unflatten(1, (3, 4)).mean(dim=2)
    found = module(given)
    assert found.mask.tolist() == [[True, True], [True, False]]
    weight = module.convolution.weight.detach().numpy()
    np.testing.assert_allclose(found.values[0].detach().numpy(), windows(means[0].numpy(), weight))


def test_batch_without_any_step_has_none():
    found = TemporalConvolution(input_width=2, width=3, kernel=3).double()(
        sequence("", "", length=0)
    )
    assert found.values.shape == (2, 1, 3)
    assert not found.mask.any()
