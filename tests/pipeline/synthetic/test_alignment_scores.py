import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.cross_decomposition import CCA

from pipeline.synthetic.alignment_scores import (
    linear_cka,
    mean_canonical_correlation,
    retrieval_recall,
)


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_equal_codes_are_retrieved_whatever_the_scale_of_columns(generator):
    codes = generator.standard_normal((300, 8))
    assert retrieval_recall(queries=codes, gallery=5 * codes * np.arange(1, 9) + 2) == 1.0


def test_unrelated_codes_are_retrieved_by_chance(generator):
    found = [
        retrieval_recall(
            queries=generator.standard_normal((100, 8)), gallery=generator.standard_normal((100, 8))
        )
        for _ in range(100)
    ]
    assert np.mean(found) == pytest.approx(0.01, abs=0.004)


def test_retrieval_counts_clips(generator):
    gallery = np.eye(10)[:, ::-1]
    queries = gallery.copy()
    queries[[0, 1]] = queries[[1, 0]]
    assert retrieval_recall(queries=queries, gallery=gallery) == 0.8


def test_canonical_correlations_are_those_of_scikit_learn(generator):
    x = generator.standard_normal((500, 5))
    y = x @ generator.standard_normal((5, 4)) + 2 * generator.standard_normal((500, 4))
    a, b = CCA(n_components=4, max_iter=5000).fit_transform(x, y)
    expected = np.mean([np.corrcoef(p, q)[0, 1] for p, q in zip(a.T, b.T, strict=True)])
    found = mean_canonical_correlation(x=x, y=y, new_x=x, new_y=y)
    assert found == pytest.approx(expected, abs=2e-3)


def test_canonical_correlation_is_known_for_gaussians_and_invariant(generator):
    x, noise = generator.standard_normal((2, 8000, 4))
    y = 0.6 * x + 0.8 * noise
    linear = generator.standard_normal((4, 4)) + 3 * np.eye(4)
    parts = {"x": x[:4000], "y": y[:4000], "new_x": x[4000:], "new_y": y[4000:]}
    plain = mean_canonical_correlation(**parts)
    assert plain == pytest.approx(0.6, abs=0.03)
    parts |= {"y": y[:4000] @ linear + 1, "new_y": y[4000:] @ linear + 1}
    assert mean_canonical_correlation(**parts) == pytest.approx(plain, abs=0.01)


def test_wide_unrelated_codes_do_not_correlate_on_new_clips(generator):
    x, y, new_x, new_y = generator.standard_normal((4, 400, 60))
    assert abs(mean_canonical_correlation(x=x, y=y, new_x=new_x, new_y=new_y)) < 0.1


def test_cka_is_the_alignment_of_centred_gram_matrices(generator):
    x, y = generator.standard_normal((30, 6)), generator.standard_normal((30, 9))
    centring = np.eye(30) - 1 / 30
    gram_x, gram_y = (centring @ v @ v.T @ centring for v in (x, y))
    expected = np.trace(gram_x @ gram_y) / np.sqrt(
        np.trace(gram_x @ gram_x) * np.trace(gram_y @ gram_y)
    )
    assert linear_cka(x=x, y=y) == pytest.approx(expected, rel=1e-9)


def test_cka_knows_neither_rotation_scale_nor_mean(generator):
    x = generator.standard_normal((100, 6))
    rotation = ortho_group.rvs(6, random_state=1)
    assert linear_cka(x=x, y=-4 * x @ rotation + 7) == pytest.approx(1.0)
    assert linear_cka(x=x, y=np.ones((100, 2))) == 0.0
    stretched = x * np.array([1, 1, 1, 1, 1, 50])
    assert linear_cka(x=x, y=stretched) < 0.8
