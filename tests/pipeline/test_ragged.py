import pytest
import torch

import pipeline.ragged
from pipeline.dataset_placement import place
from pipeline.normalise import Normaliser
from pipeline.ragged import Ragged


def make():
    return Ragged(
        values=torch.arange(12.0).reshape(6, 2),
        valid=torch.tensor([True, False, True, True, True, False]),
        offsets=torch.tensor([0, 2, 2, 5, 6]),
        names=("a", "b"),
    )


def test_gathering_leaves_padding_out():
    found = make().gather(torch.tensor([1, 2, 0]))
    assert found.mask.tolist() == [[False] * 3, [True] * 3, [True, False, False]]
    assert found.rows.tolist() == [[4, 5], [6, 7], [8, 9], [0, 1]]
    padded = found.padded(found.rows + 1)
    assert padded.tolist() == [[[0, 0]] * 3, [[5, 6], [7, 8], [9, 10]], [[1, 2], [0, 0], [0, 0]]]


def test_measured_rows_come_in_order_and_in_blocks(monkeypatch):
    ragged = make()
    (whole,) = ragged.measured(torch.tensor([2, 0]))
    assert whole.tolist() == [[0, 1], [4, 5], [6, 7], [8, 9]]
    monkeypatch.setattr(pipeline.ragged, "BLOCK_VALUES", 6)
    blocks = list(ragged.measured(torch.tensor([2, 0])))
    assert [len(block) for block in blocks] == [3, 1]
    assert torch.equal(torch.cat(blocks), whole)


@pytest.mark.parametrize("index", [[], [1], [3]])
def test_nothing_measured_is_one_empty_block(index):
    (block,) = make().measured(torch.tensor(index, dtype=torch.int64))
    assert block.shape == (0, 2)


def test_statistics_do_not_depend_on_where_values_are(dataset, monkeypatch):
    index = torch.arange(0, len(dataset), 2)
    kept = place(dataset, device="cpu", data_on="host")

    def fit(data):
        return Normaliser.fit_blocks({n: r.measured(index) for n, r in data.modalities.items()})

    def check(one, other, tolerance):
        for name in dataset.modalities:
            for a, b in ((one.mean, other.mean), (one.scale, other.scale)):
                torch.testing.assert_close(a[name], b[name], rtol=tolerance, atol=0)

    whole = fit(dataset)
    check(fit(kept), whole, 0)
    monkeypatch.setattr(pipeline.ragged, "BLOCK_VALUES", 50)
    check(fit(kept), fit(dataset), 0)
    check(fit(kept), whole, 1e-6)
