import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from pipeline.category_metrics import CATEGORY_NAMES
from pipeline.metrics import METRIC_NAMES
from pipeline.run_task import RunTask


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_what_is_predicted_is_told_by_settings_and_labels():
    named = RunTask.of({"classes": ["Agree", "Ask"]}, labels=[0.0, 1.0])
    assert (named.classes, named.numbered) == (("Agree", "Ask"), True)
    of_0_and_1 = RunTask.of({"regression": "l1"}, labels=[0.0, 1.0, 1.0])
    assert (of_0_and_1.classes, of_0_and_1.log_odds) == (("0", "1"), False)
    log_odds = RunTask.of({"regression": "logistic"}, labels=[0.0, 1.0])
    assert (log_odds.classes, log_odds.log_odds) == (("0", "1"), True)
    signs = RunTask.of({"regression": "logistic"}, labels=[-2.0, 0.4])
    assert signs.classes == ("not positive", "positive")
    # a report knows the names, and has no labels
    assert RunTask.of({"regression": "logistic"}, classes=signs.classes) == signs
    assert RunTask.of({}, classes=of_0_and_1.classes) == of_0_and_1
    score = RunTask.of({"regression": "l1"}, labels=[0.0, 1.0, 2.0])
    assert (score, score.metric_names) == (RunTask(), METRIC_NAMES)


@pytest.mark.parametrize(("regression", "threshold"), [("logistic", 0.0), ("l1", 0.5)])
def test_labels_of_0_and_1_are_two_classes(generator, regression, threshold):
    y = generator.integers(0, 2, 30).astype(float)
    p = generator.normal(0.25, 1, size=(3, 30))
    task = RunTask.of({"regression": regression}, labels=y)
    for one, said in zip(p, task.said(p), strict=True):
        found = task.metrics(said, y)
        assert found.accuracy == pytest.approx(accuracy_score(y, one > threshold))
        assert found.f1 == pytest.approx(f1_score(y, one > threshold, average="macro"))
    second = expit(p) if regression == "logistic" else np.clip(p, 0, 1)
    np.testing.assert_allclose(task.probabilities(p)[..., 1], second)
    np.testing.assert_allclose(task.probabilities(p).sum(axis=-1), 1)
    assert task.together(p).tolist() == (second.mean(axis=0) > 0.5).tolist()


def test_seeds_are_averaged_by_their_probabilities_and_not_by_their_votes():
    """Two seeds are hardly for the first class, one is sure of the second."""
    log_odds = np.array([[-0.1], [-0.1], [5.0]])
    task = RunTask.of({"regression": "logistic"}, labels=[0.0, 1.0])
    assert task.said(log_odds).ravel().tolist() == [0, 0, 1]
    assert task.together(log_odds).tolist() == [1]
    # the numbers of classes have no mean: of 0 and 2 it would be 1
    numbered = RunTask.of({"classes": ["a", "b", "c"]})
    shares = np.array([[0.45, 0.1, 0.45 + 1e-6]])
    assert numbered.together(np.array([[0.0], [2.0]]), shares).tolist() == [2]


def test_numbers_of_classes_are_scored_as_classes(generator):
    y = generator.integers(0, 5, 30).astype(float)
    p = generator.integers(0, 5, (3, 30)).astype(float)
    task = RunTask.of({"classes": [f"class {number}" for number in range(20)]}, labels=y)
    assert task.metric_names == CATEGORY_NAMES
    found = task.metrics(p[1], y)
    for average, name in (("macro", "f1"), ("weighted", "f1_weighted")):
        expected = f1_score(y, p[1], average=average, zero_division=0)
        assert getattr(found, name) == pytest.approx(expected)
    ends = task.intervals(p, y, clips=[str(row) for row in range(30)])
    assert set(ends) == set(CATEGORY_NAMES)
    mean = np.mean([accuracy_score(y, one) for one in p])
    assert ends["accuracy"].low < mean < ends["accuracy"].high


def test_the_best_constant_is_the_median_or_the_commonest_class():
    assert RunTask().constant(np.array([0.0, 1.0, 5.0, 6.0])) == 3.0
    numbered = RunTask.of({"classes": ["a", "b", "c"]})
    assert numbered.constant(np.array([2.0, 0.0, 2.0, 1.0])) == 2.0
    signs = RunTask.of({"regression": "logistic"}, labels=[-1.0, 3.0])
    assert signs.constant(np.array([-1.0, 3.0, 0.2])) == 1.0


def test_scores_are_scored_as_they_are(generator):
    y, p = generator.normal(size=(2, 12))
    task = RunTask()
    assert task.together(np.stack([p, y])).tolist() == ((p + y) / 2).tolist()
    assert task.metrics(task.said(p[None])[0], y).mae == pytest.approx(mean_absolute_error(y, p))
