import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import confusion_matrix, f1_score

from pipeline.category_metrics import category_scoring
from pipeline.metrics import METRIC_NAMES, SENTIMENT, sentiment_metrics
from pipeline.score_totals import (
    confusion_scores,
    confusion_summands,
    moment_summands,
    pearson,
    ratio,
)
from pipeline.sims_metrics import SIMS


@pytest.fixture
def generator():
    return np.random.default_rng(7)


@pytest.mark.parametrize("scoring", [SENTIMENT, SIMS, category_scoring(4)])
def test_weights_are_repetitions(generator, scoring):
    target = generator.integers(0, 4, 30).astype(float)
    prediction = generator.permutation(target)
    weights = generator.integers(0, 4, 30)
    totals = scoring.totals(prediction, target)
    sums = {name: np.tensordot(weights, value, axes=1) for name, value in totals.items()}
    repeated = scoring.score(np.repeat(prediction, weights), np.repeat(target, weights))
    for name, value in scoring.scores(sums).items():
        assert value == pytest.approx(repeated[name]), name


def test_leading_axes_are_samples(generator):
    target = np.rint(generator.normal(size=12))
    prediction = target + generator.normal(size=12)
    weights = generator.integers(0, 3, (5, 2, 12))
    totals = SENTIMENT.totals(prediction, target)
    scores = SENTIMENT.scores({n: np.tensordot(weights, v, axes=1) for n, v in totals.items()})
    assert set(scores) == set(METRIC_NAMES)
    for at in np.ndindex(5, 2):
        rows = np.repeat(np.arange(12), weights[at])
        one = sentiment_metrics(prediction=prediction[rows], target=target[rows])
        for name, values in scores.items():
            assert values[at] == pytest.approx(getattr(one, name), nan_ok=True), name


def test_confusion_is_scikit_learns(generator):
    true, predicted = generator.integers(0, 5, (2, 60))
    summed = confusion_summands(true=true, predicted=predicted, classes=5).sum(axis=0)
    assert summed.tolist() == confusion_matrix(true, predicted).tolist()
    found = confusion_scores(summed)
    assert found.f1_weighted == pytest.approx(f1_score(true, predicted, average="weighted"))
    assert found.f1_swapped == pytest.approx(f1_score(predicted, true, average="weighted"))


def test_an_empty_confusion_scores_nothing():
    assert np.isnan(confusion_scores(np.zeros((2, 2)))).all()


@pytest.mark.parametrize(
    ("offset", "scale"), [(0, 1), (1e6, 1), (-3, 1e-9), (1e8, 1e5), (0, 1e200)]
)
def test_correlation_far_from_zero(generator, offset, scale):
    x, y = generator.normal(size=(2, 50))
    y += x
    found = pearson(moment_summands(offset + scale * x, y).sum(axis=0))
    assert found == pytest.approx(pearsonr(offset + scale * x, y).statistic, rel=1e-9)


def test_a_resample_of_one_value_has_no_correlation():
    x, y = np.array([0.1, 0.7, 0.7, 2.3]), np.array([1.0, 2.0, 3.0, 5.0])
    weights = np.array([0.0, 3.0, 4.0, 0.0])
    assert np.isnan(pearson(weights @ moment_summands(x, y)))


def test_division_by_nothing():
    assert np.isnan(ratio(0, 0))
    assert ratio([1, 3], [2, 0], empty=-1.0).tolist() == [0.5, -1.0]
