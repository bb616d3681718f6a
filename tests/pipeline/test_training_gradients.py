import math

import pytest
import torch

from pipeline.training_gradients import term_gradient_norms


@pytest.fixture
def parameters():
    return [torch.tensor([1.0, -1.0], requires_grad=True), torch.tensor([2.0], requires_grad=True)]


def test_norms_are_over_what_two_terms_reach(parameters):
    p, q = parameters
    terms = {
        "both": (p * torch.tensor([3.0, 4.0])).sum() + 100 * q.sum(),
        "one": p.square().sum() / 2,
        "off": p.sum(),
        "constant": torch.tensor(5.0),
    }
    found = term_gradient_norms(
        terms=terms,
        weights={"both": 2.0, "one": -0.5, "off": 0.0, "constant": 1.0},
        parameters=parameters,
    )
    # q is reached by one term alone; the gradient of p^2 / 2 is p
    expected = {"both": 2 * 5.0, "one": 0.5 * math.sqrt(2), "off": 0.0, "constant": 0.0}
    assert found == pytest.approx(expected)


def test_one_term_alone_has_the_norm_of_the_whole_gradient(parameters):
    p, q = parameters
    loss = (p.square().sum() * q).sum()
    found = term_gradient_norms(
        terms={"task": loss, "off": q.sum()},
        weights={"task": 1.0, "off": 0.0},
        parameters=parameters,
    )
    loss.backward()
    whole = torch.cat([value.grad for value in parameters]).norm()
    assert found == {"task": pytest.approx(float(whole)), "off": 0.0}


def test_nothing_is_left_behind(parameters):
    p, q = parameters
    loss = p.square().sum() + q.sum()
    state = torch.get_rng_state()
    term_gradient_norms(terms={"task": loss}, weights={"task": 1.0}, parameters=parameters)
    assert p.grad is None
    assert torch.equal(torch.get_rng_state(), state)
    loss.backward()
    assert torch.equal(p.grad, 2 * p.detach())
