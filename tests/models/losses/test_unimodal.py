import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.losses.regression import regression_loss
from models.losses.unimodal import unimodal_loss


def draw(rows, seed=0):
    rng = np.random.default_rng(seed)
    prediction, label, target = rng.uniform(-3, 3, (3, rows))
    return prediction, label, target, rng.random(rows) < 0.7


@given(rows=st.integers(1, 20), seed=st.integers(0, 99), weighted=st.booleans())
@settings(deadline=None, max_examples=40)
def test_equals_a_loop_over_the_labelled_rows(rows, seed, weighted):
    prediction, label, target, has_target = draw(rows, seed)
    errors = [
        (np.tanh(abs(y - common)) if weighted else 1) * abs(found - y)
        for found, y, common, there in zip(prediction, label, target, has_target, strict=True)
        if there
    ]
    loss = unimodal_loss(
        prediction=torch.from_numpy(prediction),
        label=torch.from_numpy(label),
        target=torch.from_numpy(target),
        has_target=torch.from_numpy(has_target),
        weighted=weighted,
    )
    assert loss.item() == pytest.approx(np.mean(errors) if errors else 0.0, rel=1e-9)


def test_labels_that_are_the_common_ones_give_a_gradient_of_zero():
    target = torch.tensor([1.0, -2.0, 0.0])
    prediction = torch.tensor([0.5, 2.0, 0.1], requires_grad=True)
    loss = unimodal_loss(prediction=prediction, label=target, target=target, has_target=target > -9)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(prediction.grad, torch.zeros(3))


def test_unweighted_with_the_common_labels_it_is_the_task():
    prediction, _, target, has_target = map(torch.from_numpy, draw(9))
    given = {"prediction": prediction, "target": target, "has_target": has_target}
    loss = unimodal_loss(**given, label=target, weighted=False)
    torch.testing.assert_close(loss, regression_loss(**given))


def test_the_weight_and_the_labels_get_no_gradient():
    prediction = torch.tensor([0.5, 2.0], requires_grad=True)
    label = torch.tensor([1.0, -1.0], requires_grad=True)
    target = torch.tensor([2.0, 1.0], requires_grad=True)
    unimodal_loss(
        prediction=prediction,
        label=label,
        target=target,
        has_target=torch.tensor([True, True]),
    ).backward()
    expected = torch.tensor([-np.tanh(1.0) / 2, np.tanh(2.0) / 2], dtype=torch.float32)
    torch.testing.assert_close(prediction.grad, expected)
    assert label.grad is None
    assert target.grad is None


@pytest.mark.parametrize("weighted", [True, False])
def test_what_an_unlabelled_row_holds_does_not_matter(weighted):
    prediction = torch.tensor([0.5, 2.0], requires_grad=True)
    unimodal_loss(
        prediction=prediction,
        label=torch.tensor([1.0, float("nan")]),
        target=torch.tensor([2.0, float("nan")]),
        has_target=torch.tensor([True, False]),
        weighted=weighted,
    ).backward()
    assert prediction.grad[0] < 0
    assert prediction.grad[1] == 0


def test_no_labelled_row_is_zero_with_a_graph():
    prediction = torch.ones(2, requires_grad=True)
    nothing = torch.full((2,), float("nan"))
    loss = unimodal_loss(
        prediction=prediction,
        label=nothing,
        target=nothing,
        has_target=torch.zeros(2, dtype=torch.bool),
    )
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(prediction.grad, torch.zeros(2))
