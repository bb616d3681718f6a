import numpy as np
import pytest

from pipeline.synthetic.dependence import distance_correlation, kernel_dependence

MEASURES = [distance_correlation, kernel_dependence]


def standard(values):
    return (values - values.mean(0)) / values.std(0)


def test_distance_correlation_is_its_definition():
    """Element by element from the definition: distances less row, column, plus grand means."""
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((25, 2)), generator.standard_normal((25, 3))
    y[:, 0] += x[:, 0] ** 2

    def centred(codes):
        n = len(codes)
        d = [[float(np.sqrt(((p - q) ** 2).sum())) for q in codes] for p in codes]
        row = [sum(line) / n for line in d]
        grand = sum(row) / n
        return [[d[i][j] - row[i] - row[j] + grand for j in range(n)] for i in range(n)]

    def covariance(a, b):
        n = len(a)
        return sum(a[i][j] * b[i][j] for i in range(n) for j in range(n)) / n**2

    a, b = centred(standard(x)), centred(standard(y))
    expected = np.sqrt(covariance(a, b) / np.sqrt(covariance(a, a) * covariance(b, b)))
    assert distance_correlation(x=x, y=y).value == pytest.approx(expected, rel=1e-10)


def test_distance_correlation_of_gaussians_is_the_closed_form():
    """Székely, Rizzo and Bakirov (2007), theorem 7."""
    rho = 0.7
    generator = np.random.default_rng(1)
    x, noise = generator.standard_normal((2, 2000, 1))
    y = rho * x + np.sqrt(1 - rho**2) * noise
    numerator = rho * np.arcsin(rho) + np.sqrt(1 - rho**2)
    numerator -= rho * np.arcsin(rho / 2) + np.sqrt(4 - rho**2) - 1
    expected = np.sqrt(numerator / (1 + np.pi / 3 - np.sqrt(3)))
    found = distance_correlation(x=x, y=y, permutations=1)
    assert found.value == pytest.approx(expected, abs=0.03)


def test_kernel_dependence_is_its_definition():
    generator = np.random.default_rng(2)
    x, y = generator.standard_normal((40, 2)), generator.standard_normal((40, 3))
    y[:, 1] = np.abs(x[:, 1])

    def kernel(codes):
        squares = ((codes[:, None] - codes[None]) ** 2).sum(-1)
        width = np.median([np.sqrt(squares[i, j]) for i in range(40) for j in range(i)])
        return np.exp(-squares / (2 * width**2))

    centring = np.eye(40) - 1 / 40
    k, m = kernel(standard(x)), kernel(standard(y))

    def hsic(left, right):
        return np.trace(left @ centring @ right @ centring)

    expected = hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))
    assert kernel_dependence(x=x, y=y).value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_uncorrelated_dependence_is_noticed(measure):
    angle = np.random.default_rng(3).uniform(0, 2 * np.pi, 300)
    found = measure(x=np.cos(angle)[:, None], y=np.sin(angle)[:, None])
    assert found.p_value == pytest.approx(1 / 201)


@pytest.mark.parametrize("measure", MEASURES)
def test_p_values_of_independent_codes_are_uniform(measure):
    generator = np.random.default_rng(4)
    p = [
        measure(
            x=generator.standard_normal((40, 2)),
            y=generator.standard_normal((40, 3)),
            permutations=99,
            seed=seed,
        ).p_value
        for seed in range(120)
    ]
    assert np.mean(p) == pytest.approx(0.5, abs=0.09)
    assert 0 < np.mean(np.array(p) <= 0.1) < 0.2


@pytest.mark.parametrize("measure", MEASURES)
def test_the_same_code_depends_on_itself_and_a_constant_on_nothing(measure):
    x = np.random.default_rng(5).standard_normal((50, 4))
    assert measure(x=x, y=3 * x).value == pytest.approx(1.0)
    assert measure(x=x, y=np.ones((50, 2))) == (0.0, 1.0)
