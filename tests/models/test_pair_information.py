import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from models.pair_information import PairInformation

WIDTHS = {"text": 3, "vision": 4, "audio": 5}
PAIRS = (("text", "vision"), ("text", "audio"), ("vision", "audio"))


def build(history=0, pairs=PAIRS, widths=WIDTHS):
    return PairInformation(pairs=pairs, widths=widths, entropy_width=2, history=history).double()


def vectors(rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(rows, width, generator=generator, dtype=torch.float64)
        for name, width in WIDTHS.items()
    }


def test_likelihood_is_that_of_normal_distributions():
    information, given = build(), vectors(6)
    expected = 0.0
    for x, y in PAIRS:
        mean, log_variance = information.estimators[f"{x}_{y}"](given[x])
        scale = (log_variance / 2).exp().detach().numpy()
        density = norm(mean.detach().numpy(), scale).logpdf(given[y].numpy()).sum(axis=1)
        expected -= density.mean() + WIDTHS[y] / 2 * math.log(2 * math.pi)
    assert information.negative_log_likelihood(given).item() == pytest.approx(expected)
    assert information.learning_loss(given).item() == pytest.approx(expected)


def test_gradients_reach_either_the_vectors_or_the_estimators():
    information = build()
    given = {name: values.requires_grad_() for name, values in vectors(6).items()}
    information.negative_log_likelihood(given).backward()
    assert all(values.grad.any() for values in given.values())
    assert all(p.grad is None for p in information.parameters())
    information.learning_loss(vectors(6)).backward()
    assert all(p.grad.any() for p in information.parameters())


def test_a_fitted_estimator_knows_what_is_left_of_the_variance():
    rho, generator = 0.7, torch.Generator().manual_seed(0)
    x = torch.randn(2000, 1, generator=generator)
    noise = torch.randn(2000, 4, generator=generator)
    given = {"x": x, "y": rho * x + math.sqrt(1 - rho**2) * noise}
    information = build(pairs=(("x", "y"),), widths={"x": 1, "y": 4}).float()
    optimiser = torch.optim.Adam(information.parameters(), lr=0.02)
    for _ in range(300):
        optimiser.zero_grad()
        information.learning_loss(given).backward()
        optimiser.step()
    # 4 columns of 1/2 log(2 pi e (1 - rho^2)), less 1/2 log(2 pi) each
    expected = 2 * (1 + math.log(1 - rho**2))
    found = information.negative_log_likelihood(given).item()
    assert found == pytest.approx(expected, abs=0.05)


def class_entropy(information, given, members):
    total = 0.0
    for x, y in PAIRS:
        directions = getattr(information, f"directions_{x}_{y}").numpy()
        offsets = getattr(information, f"offsets_{x}_{y}").numpy()
        projected = np.tanh(given[y].numpy()[members] @ directions.T + offsets)
        covariance = np.cov(projected, rowvar=False, bias=True) + 1e-4 * np.eye(2)
        total += multivariate_normal(cov=covariance).entropy()
    return total


def test_entropy_is_the_mean_of_the_two_classes():
    information, given = build(), vectors(12)
    target = torch.tensor([1.0, -2, 0, 3, -1, 0.2, -0.1, 0, 2, -3, 1, -1], dtype=torch.float64)
    expected = [
        class_entropy(information, given, members.numpy()) for members in (target > 0, target < 0)
    ]
    assert information.entropy(given, target).item() == pytest.approx(sum(expected) / 2)


def test_remembered_utterances_count_like_those_of_the_batch():
    before, given, information = vectors(9, seed=1), vectors(5), build(history=20)
    targets = torch.linspace(-2, 2, 14, dtype=torch.float64)
    information.remember(before, targets[:9])
    found = information.entropy(given, targets[9:])
    whole = {name: torch.cat([before[name], given[name]]) for name in WIDTHS}
    fresh = build(history=0)
    fresh.load_state_dict(information.state_dict() | fresh_history(fresh))
    torch.testing.assert_close(found, fresh.entropy(whole, targets))


def fresh_history(information):
    return {name: value for name, value in information.state_dict().items() if "history" in name}


def test_neutral_utterances_are_not_kept_and_the_oldest_are_dropped():
    information = build(history=4)
    first, second = vectors(3), vectors(4, seed=1)
    information.remember(first, torch.tensor([1.0, 0.0, -1.0]).double())
    information.remember(second, torch.tensor([2.0, -2.0, 0.0, 3.0]).double())
    assert information.history_target.tolist() == [2.0, -2.0, 3.0, 1.0]
    expected = torch.stack([*second["audio"][[0, 1, 3]], first["audio"][0]])
    assert torch.equal(information.history_audio, expected)
    assert not hasattr(information, "history_text")


def test_memory_is_saved():
    information, other = build(history=4), build(history=4)
    information.remember(vectors(3), torch.tensor([1.0, -1.0, 2.0]).double())
    other.load_state_dict(information.state_dict())
    target = torch.linspace(-1, 1, 8, dtype=torch.float64)
    assert torch.equal(other.entropy(vectors(8), target), information.entropy(vectors(8), target))


def test_memory_does_not_keep_a_graph():
    information = build(history=4)
    given = {name: values.requires_grad_() for name, values in vectors(3).items()}
    information.remember(given, torch.tensor([1.0, -1.0, 2.0]).double())
    assert not information.history_audio.requires_grad


def test_a_class_without_utterances_counts_as_nothing():
    information, given = build(), vectors(5)
    found = information.entropy(given, torch.ones(5, dtype=torch.float64))
    expected = class_entropy(information, given, np.ones(5, dtype=bool)) / 2
    assert found.item() == pytest.approx(expected)
    assert information.entropy(given, torch.zeros(5, dtype=torch.float64)) == 0
