import torch

from models.last_step import last_step


def test_each_rows_own_end():
    values = torch.randn(4, 5, 3, requires_grad=True)
    lengths = [5, 1, 0, 3]
    mask = torch.arange(5) < torch.tensor(lengths)[:, None]
    last = last_step(values=values, mask=mask)
    for row, length in enumerate(lengths):
        expected = values[row, length - 1] if length else torch.zeros(3)
        assert torch.equal(last[row], expected)
    last.sum().backward()
    assert not values.grad[2].any()
    assert values.grad.sum() == 9.0
