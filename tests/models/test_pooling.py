import numpy as np
import pytest
import torch

from models.pooling import average_windows, masked_mean


def ragged(rows=4, length=11, width=3):
    rng = np.random.default_rng(0)
    mask = rng.random((rows, length)) < 0.6
    mask[1] = False
    return rng.standard_normal((rows, length, width)), mask


def test_masked_mean_against_a_loop():
    values, mask = ragged()
    ours = masked_mean(values=torch.from_numpy(values), mask=torch.from_numpy(mask)).numpy()
    for row in (0, 2, 3):
        np.testing.assert_allclose(ours[row], values[row][mask[row]].mean(axis=0))
    assert not ours[1].any()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 20])
def test_windows_against_a_loop(size):
    values, mask = ragged()
    pooled, valid = average_windows(
        values=torch.from_numpy(values) * torch.from_numpy(mask)[..., None],
        mask=torch.from_numpy(mask),
        size=size,
    )
    assert pooled.shape == (4, -(-11 // size), 3)
    for row in range(4):
        for window, start in enumerate(range(0, 11, size)):
            inside = values[row, start : start + size][mask[row, start : start + size]]
            assert valid[row, window].item() == bool(len(inside))
            expected = inside.mean(axis=0) if len(inside) else np.zeros(3)
            np.testing.assert_allclose(pooled[row, window].numpy(), expected)


def test_empty_sequences_stay_empty():
    values, mask = torch.zeros(2, 0, 3), torch.zeros(2, 0, dtype=torch.bool)
    pooled, valid = average_windows(values=values, mask=mask, size=4)
    assert pooled.shape == (2, 0, 3)
    assert valid.shape == (2, 0)
    assert masked_mean(values=values, mask=mask).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_size_must_be_positive():
    with pytest.raises(ValueError, match="got 0"):
        average_windows(values=torch.zeros(1, 2, 3), mask=torch.ones(1, 2) > 0, size=0)
