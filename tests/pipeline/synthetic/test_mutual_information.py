import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_selection import mutual_info_regression

from pipeline.synthetic.mutual_information import (
    club_information,
    neighbour_information,
    principal_components,
)


def gaussians(rho, clips, columns, seed=0):
    x, noise = np.random.default_rng(seed).standard_normal((2, clips, columns))
    return x, rho * x + np.sqrt(1 - rho**2) * noise


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("columns", [1, 2])
def test_neighbours_find_the_information_of_gaussians(rho, columns):
    x, y = gaussians(rho, 2000, columns)
    expected = -0.5 * columns * np.log(1 - rho**2)
    found = neighbour_information(x=x, y=y)
    assert found == pytest.approx(expected, abs=0.05 + 0.05 * expected)


def test_neighbours_agree_with_scikit_learn_for_single_columns():
    x, y = gaussians(0.7, 500, 1, seed=1)
    y = np.exp(y)
    expected = mutual_info_regression(x, y[:, 0], n_neighbors=5, random_state=0)[0]
    # scikit-learn's adds noise of 1e-10 of the scale
    assert neighbour_information(x=x, y=y) == pytest.approx(expected, abs=1e-3)


def test_a_constant_tells_nothing():
    x = np.random.default_rng(2).standard_normal((200, 2))
    assert neighbour_information(x=x, y=np.zeros((200, 1))) == pytest.approx(0.0, abs=1e-9)


def test_components_are_those_of_scikit_learn():
    codes = np.random.default_rng(3).standard_normal((100, 6)) * np.arange(1, 7)
    expected = PCA(3).fit_transform(codes)
    np.testing.assert_allclose(np.abs(principal_components(codes=codes)), np.abs(expected))
    assert principal_components(codes=codes[:, :2]).shape == (100, 2)


def test_club_bounds_the_information_of_gaussians_from_above():
    rho = 0.5
    x, y = gaussians(rho, 4000, 2, seed=4)
    found = club_information(x=x[:3000], y=y[:3000], new_x=x[3000:], new_y=y[3000:], seed=0)
    information, bound = -np.log(1 - rho**2), 2 * rho**2 / (1 - rho**2)
    assert information - 0.05 < found
    assert found == pytest.approx(bound, abs=0.2)


def test_club_of_independent_codes_is_about_zero():
    x, y = gaussians(0.0, 4000, 3, seed=5)
    found = club_information(x=x[:3000], y=y[:3000], new_x=x[3000:], new_y=y[3000:], seed=0)
    assert abs(found) < 0.05
