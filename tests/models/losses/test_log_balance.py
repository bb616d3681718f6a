import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.losses.log_balance import log_balance


def value_and_slope(loss, floor=0.1):
    loss = torch.tensor(loss, dtype=torch.float64, requires_grad=True)
    value = log_balance(loss=loss, floor=floor)
    value.backward()
    return value.item(), loss.grad.item()


@given(loss=st.floats(0.11, 1e12))
def test_above_the_floor_it_is_the_logarithm(loss):
    value, slope = value_and_slope(loss)
    assert value == pytest.approx(math.log(loss))
    assert slope == pytest.approx(1 / loss)


@pytest.mark.parametrize("loss", [0.0, 1e-9, 0.05, 0.0999])
def test_below_it_is_the_tangent_at_the_floor(loss):
    value, slope = value_and_slope(loss)
    assert value == pytest.approx(math.log(0.1) + (loss - 0.1) / 0.1)
    assert slope == pytest.approx(10)


def test_scale_takes_no_part_in_the_gradient():
    parameter = torch.tensor([3.0], dtype=torch.float64, requires_grad=True)
    slopes = []
    for scale in (1.0, 1e6):
        loss = scale * parameter.square().sum()
        slopes.append(torch.autograd.grad(log_balance(loss=loss, floor=1e-8), parameter)[0].item())
    assert slopes[0] == pytest.approx(2 / 3)
    assert slopes[1] == pytest.approx(slopes[0])


@pytest.mark.parametrize("floor", [0.0, -1.0, math.nan])
def test_a_floor_that_is_not_positive_is_refused(floor):
    with pytest.raises(ValueError, match="floor"):
        log_balance(loss=torch.tensor(1.0), floor=floor)
