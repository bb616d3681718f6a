import numpy as np
import pytest
import torch

from models.code_information import CodeInformation

PAIRS = (("a", "b"), ("shared", "a"))


def build(*, width=3, n_mi=None, pairs=PAIRS):
    return CodeInformation(pairs=pairs, width=width, hidden=8, n_mi=n_mi)


def draw(size=20, width=3):
    return {name: torch.randn(size, width, requires_grad=True) for name in ("a", "b", "shared")}


def bound_by_loops(mean, log_variance, y):
    rows = []
    for i in range(len(y)):
        others = np.mean([(y[j] - mean[i]) ** 2 for j in range(len(y))], axis=0)
        rows.append(np.sum((others - (y[i] - mean[i]) ** 2) / (2 * np.exp(log_variance[i]))))
    return np.mean(rows)


def test_bounds_are_those_of_each_pair_in_its_direction():
    module, codes = build(), draw()
    bounds = module(codes)
    assert set(bounds) == {"a_b", "shared_a"}
    for x, y in PAIRS:
        arrays = [t.detach().numpy() for t in (*module.estimators[f"{x}_{y}"](codes[x]), codes[y])]
        assert bounds[f"{x}_{y}"].item() == pytest.approx(bound_by_loops(*arrays), abs=1e-4)


def test_bounds_train_the_codes_and_not_the_estimators():
    module, codes = build(), draw()
    module(codes)["shared_a"].backward()
    assert codes["shared"].grad.any()
    assert codes["a"].grad.any()
    assert codes["b"].grad is None
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_learning_loss_trains_all_estimators():
    module = build()
    module.learning_loss({name: code.detach() for name, code in draw().items()}).backward()
    assert all(parameter.grad.any() for parameter in module.parameters())


def fitted_bound(*, rho, scale=1.0):
    """Bound of two columns of correlated normals, by estimators that had time to learn."""
    module = build(width=2, pairs=(("a", "b"),))

    def correlated(size):
        a = torch.randn(size, 2)
        b = rho * a + (1 - rho**2) ** 0.5 * torch.randn(size, 2)
        return {"a": scale * a, "b": scale * b}

    optimiser = torch.optim.Adam(module.parameters(), lr=1e-2)
    for _ in range(400):
        optimiser.zero_grad()
        module.learning_loss(correlated(256)).backward()
        optimiser.step()
    return module(correlated(20_000))["a_b"].item()


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_fitted_it_is_the_closed_form_for_correlated_normals(rho):
    # with the true conditional the bound is rho^2 / (1 - rho^2) a column
    found = fitted_bound(rho=rho)
    assert found == pytest.approx(2 * rho**2 / (1 - rho**2), abs=0.1)
    assert found > -np.log(1 - rho**2) - 0.02


def test_codes_that_shrink_escape_the_bound():
    # variances of at least 1/e leave e rho^2 scale^2 a column, below the true information
    found = fitted_bound(rho=0.6, scale=0.1)
    assert found == pytest.approx(2 * np.e * (0.6 * 0.1) ** 2, rel=0.25)
    assert found < 0.1 * -np.log(1 - 0.6**2)


def test_few_compared_rows_estimate_the_same_bound():
    codes, few, all_rows = draw(size=64), build(n_mi=8), build(n_mi=64)
    all_rows.load_state_dict(few.state_dict())
    drawn = torch.stack([few(codes)["a_b"].detach() for _ in range(300)])
    assert drawn.std() > 1e-3
    # the mean of 300 is within 4 of its standard errors
    expected = all_rows(codes)["a_b"].item()
    assert float(drawn.mean()) == pytest.approx(expected, abs=4 * float(drawn.std()) / 300**0.5)
    assert all_rows(codes)["a_b"].item() == expected


def test_a_single_row_has_none():
    module, codes = build(), draw(size=1)
    value = module(codes)["a_b"]
    value.backward()
    assert value == 0
    assert not codes["a"].grad.any()
