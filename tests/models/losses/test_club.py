import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from models.conditional_gaussian import ConditionalGaussian
from models.losses.club import club_bound, club_learning_loss


def correlated(*, size, rho, seed):
    """Standard normal pairs, column k of correlation rho[k]."""
    generator = torch.Generator().manual_seed(seed)
    x, noise = (torch.randn(size, len(rho), generator=generator) for _ in range(2))
    rho = torch.tensor(rho)
    return x, rho * x + (1 - rho.square()).sqrt() * noise


def mutual_information(rho):
    return -0.5 * sum(math.log(1 - r * r) for r in rho)


@given(
    rows=st.integers(1, 12), width=st.integers(1, 5), seed=st.integers(0, 99), n=st.integers(1, 9)
)
@settings(deadline=None, max_examples=40)
def test_bound_is_the_mean_difference_of_log_densities(rows, width, seed, n):
    rng = np.random.default_rng(seed)
    mean, y = rng.standard_normal((2, rows, width)) + 2
    log_variance = rng.uniform(-1, 1, (rows, width))
    others = rng.standard_normal((n, width)) - 1
    scale = np.exp(log_variance / 2)
    for given_others, compared in ((None, y), (others, others)):
        positive = norm.logpdf(y, mean, scale).sum(1)
        negative = norm.logpdf(compared[:, None], mean, scale).sum(2).mean(0)
        found = club_bound(
            mean=torch.from_numpy(mean),
            log_variance=torch.from_numpy(log_variance),
            y=torch.from_numpy(y),
            others=None if given_others is None else torch.from_numpy(given_others),
        )
        assert found.item() == pytest.approx((positive - negative).mean(), rel=1e-9, abs=1e-9)


def test_learning_loss_is_twice_the_negative_log_likelihood():
    rng = np.random.default_rng(0)
    mean, y, log_variance = rng.standard_normal((3, 9, 4))
    expected = -2 * norm.logpdf(y, mean, np.exp(log_variance / 2)).sum(1).mean()
    found = club_learning_loss(
        mean=torch.from_numpy(mean),
        log_variance=torch.from_numpy(log_variance),
        y=torch.from_numpy(y),
    )
    assert found.item() == pytest.approx(expected - 4 * math.log(2 * math.pi))


@pytest.mark.parametrize("rho", [(0.3, 0.2, 0.1), (0.7, 0.5), (0.0, 0.0)])
def test_true_conditional_gives_the_bound_in_closed_form(rho):
    x, y = correlated(size=400_000, rho=rho, seed=1)
    variance = 1 - torch.tensor(rho).square()
    found = club_bound(
        mean=torch.tensor(rho) * x, log_variance=variance.log().expand_as(x), y=y
    ).item()
    assert found == pytest.approx(sum(r * r / (1 - r * r) for r in rho), abs=0.01)
    assert found >= mutual_information(rho) - 0.01


@pytest.mark.parametrize(
    ("rho", "gap"), [((0.0, 0.0), 0.05), ((0.3, 0.2, 0.1), 0.1), ((0.6, 0.4), 0.5)]
)
def test_trained_conditional_bounds_the_mutual_information_of_gaussians(rho, gap):
    torch.manual_seed(0)
    q = ConditionalGaussian(x_width=len(rho), y_width=len(rho), hidden=16)
    optimiser = torch.optim.Adam(q.parameters(), lr=1e-2)
    x, y = correlated(size=20_000, rho=rho, seed=2)
    for step in range(400):
        rows = slice(step % 20 * 1000, step % 20 * 1000 + 1000)
        mean, log_variance = q(x[rows])
        optimiser.zero_grad()
        club_learning_loss(mean=mean, log_variance=log_variance, y=y[rows]).backward()
        optimiser.step()
    x, y = correlated(size=50_000, rho=rho, seed=3)
    with torch.no_grad():
        mean, log_variance = q(x)
        found = club_bound(mean=mean, log_variance=log_variance, y=y).item()
    truth = mutual_information(rho)
    assert truth - 0.02 <= found <= truth + gap
    assert found == pytest.approx(sum(r * r / (1 - r * r) for r in rho), abs=0.1)


def test_a_conditional_that_ignores_x_gives_0():
    y = torch.randn(30, 4, dtype=torch.float64)
    ignoring = torch.full((30, 4), 0.7, dtype=torch.float64)
    assert club_bound(mean=ignoring, log_variance=ignoring, y=y).item() == pytest.approx(0)


def test_a_single_row_gives_0():
    mean, log_variance, y = torch.randn(3, 1, 4)
    assert club_bound(mean=mean, log_variance=log_variance, y=y).item() == 0


def test_a_wrong_conditional_makes_it_negative():
    x, y = correlated(size=500, rho=(0.8,), seed=0)
    assert club_bound(mean=-x, log_variance=torch.zeros_like(x), y=y) < -0.5
