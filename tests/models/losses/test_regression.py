import pytest
import torch

from models.losses.regression import regression_loss

PREDICTION = torch.tensor([1.0, -2.0, 0.5, 3.0])
TARGET = torch.tensor([0.0, 1.0, 0.0, 2.5])
LABELLED = torch.tensor([True, True, False, True])


@pytest.mark.parametrize(("kind", "expected"), [("l1", 4.5 / 3), ("mse", 10.25 / 3)])
def test_mean_over_labelled_rows(kind, expected):
    loss = regression_loss(prediction=PREDICTION, target=TARGET, has_target=LABELLED, kind=kind)
    assert loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["l1", "mse"])
@pytest.mark.parametrize("missing", [0.0, 77.0, float("nan")])
def test_missing_target_has_neither_value_nor_gradient(kind, missing):
    prediction = PREDICTION.clone().requires_grad_()
    target = torch.where(LABELLED, TARGET, missing)
    loss = regression_loss(prediction=prediction, target=target, has_target=LABELLED, kind=kind)
    loss.backward()
    expected = (PREDICTION - TARGET)[LABELLED]
    expected = expected.abs().mean() if kind == "l1" else expected.square().mean()
    torch.testing.assert_close(loss.detach(), expected)
    assert prediction.grad[2] == 0
    assert (prediction.grad[LABELLED] != 0).all()


def test_batch_without_target_is_zero_with_a_graph():
    prediction = PREDICTION.clone().requires_grad_()
    loss = regression_loss(
        prediction=prediction, target=TARGET, has_target=torch.zeros(4, dtype=torch.bool)
    )
    loss.backward()
    assert loss.item() == 0
    assert prediction.grad.tolist() == [0, 0, 0, 0]


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'huber'"):
        regression_loss(prediction=PREDICTION, target=TARGET, has_target=LABELLED, kind="huber")


def test_squared_and_clamped_absolute_error():
    loss = regression_loss(
        prediction=torch.tensor([5.0, -1.0]),
        target=torch.tensor([2.0, -3.5]),
        has_target=torch.tensor([True, True]),
        kind="mse_l1",
    )
    assert loss.item() == pytest.approx((9 + 1 + 6.25 + 2) / 2)


def test_logistic_is_the_cross_entropy_of_two_classes():
    prediction = torch.tensor([1.5, -0.5, 2.0, 0.3], requires_grad=True)
    target = torch.tensor([1.0, 1.0, -1.0, float("nan")])
    loss = regression_loss(
        prediction=prediction, target=target, has_target=~target.isnan(), kind="logistic"
    )
    classes = torch.stack([torch.zeros(3), prediction.detach()[:3]], dim=1)
    expected = torch.nn.functional.cross_entropy(classes, torch.tensor([1, 1, 0]))
    assert loss.item() == pytest.approx(expected.item())
    loss.backward()
    assert prediction.grad[3] == 0
    assert torch.isfinite(prediction.grad).all()
