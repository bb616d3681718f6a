import numpy as np
import pytest
import torch

from models.losses.label_margin import label_margin_loss


def dense(codes, labels, margin):
    """Three loops over anchors, codes of the same label and codes of another."""
    unit = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    anchors = []
    for i in range(len(labels)):
        triplets = []
        for j in range(len(labels)):
            if j == i or labels[j] != labels[i]:
                continue
            for k in range(len(labels)):
                if labels[k] != labels[i]:
                    bound = margin * abs(labels[i] - labels[k])
                    triplets.append(max(0.0, bound - unit[i] @ unit[j] + unit[i] @ unit[k]))
        if triplets:
            anchors.append(np.mean(triplets))
    return np.mean(anchors) if anchors else 0.0


@pytest.mark.parametrize("margin", [0.0, 0.15, 2.0])
@pytest.mark.parametrize(
    "labels",
    [[1, 2, 1, 2, 1, 2], [0, 0, 0, 3, 3, -1.5], [-2, -2, 1, 0.4, 0.4, 0.4], [1, 2, 3, 4, 5, 5]],
)
def test_equals_three_loops(labels, margin):
    labels = torch.tensor(labels, dtype=torch.float64)
    codes = torch.randn(6, 5, generator=torch.Generator().manual_seed(3)).double()
    found = label_margin_loss(codes=codes, labels=labels, margin=margin)
    expected = dense(codes.numpy(), labels.numpy(), margin)
    assert expected > 0.0
    assert found.item() == pytest.approx(expected)


def test_codes_on_opposite_sides_cost_nothing():
    codes = torch.tensor([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0], [-3.0, 0.0]])
    labels = torch.tensor([3.0, 3.0, -3.0, -3.0])
    assert label_margin_loss(codes=codes, labels=labels).item() == 0.0
    # by the formula: 0.15 * 6 + 1 + 1 for every triplet
    turned = label_margin_loss(codes=codes, labels=labels[[0, 2, 1, 3]], margin=0.15)
    assert turned.item() == pytest.approx(dense(codes.numpy(), labels[[0, 2, 1, 3]].numpy(), 0.15))
    assert turned.item() == pytest.approx(0.9 + 1.0)


@pytest.mark.parametrize("labels", [[], [1.0], [1.0, 1.0, 1.0], [1.0, 2.0, 3.0]])
def test_no_triplet_gives_zero_with_a_gradient_of_zero(labels):
    codes = torch.randn(len(labels), 4, requires_grad=True)
    loss = label_margin_loss(codes=codes, labels=torch.tensor(labels))
    loss.backward()
    assert loss.item() == 0.0
    assert codes.grad is not None
    assert not codes.grad.any()


def test_length_of_codes_and_order_of_rows_do_not_matter():
    codes = torch.randn(6, 5).double()
    labels = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0, -2.0], dtype=torch.float64)
    plain = label_margin_loss(codes=codes, labels=labels)
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    scale = torch.rand(6, 1).double() + 0.1
    turned = label_margin_loss(codes=(codes * scale)[order], labels=labels[order])
    torch.testing.assert_close(turned, plain)


def test_a_negative_margin_is_refused():
    with pytest.raises(ValueError, match=r"margin must be >= 0, got -0\.1"):
        label_margin_loss(codes=torch.zeros(2, 2), labels=torch.zeros(2), margin=-0.1)
