import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from pipeline.collection_metrics import COLLECTION_METRICS, collection_scores
from pipeline.metrics import sentiment_metrics
from pipeline.sims_metrics import sims_metrics

CLIPS = [f"c{number}" for number in range(30)]


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def found(p, y, *, labels=None, log_odds=False):
    return collection_scores(
        predictions=p,
        target=y,
        clips=CLIPS,
        labels=y if labels is None else labels,
        log_odds=log_odds,
    )


@pytest.mark.parametrize(("log_odds", "threshold"), [(True, 0.0), (False, 0.5)])
def test_labels_of_0_and_1_are_two_classes(generator, log_odds, threshold):
    y = generator.integers(0, 2, 30).astype(float)
    p = generator.normal(0.25, 1, size=(2, 30))
    scores = found(p, y, log_odds=log_odds)
    assert list(scores) == ["two_classes"]
    accuracies = [accuracy_score(y, one > threshold) for one in p]
    assert scores["two_classes"]["accuracy"].mean == pytest.approx(np.mean(accuracies))
    f1 = [f1_score(y, one > threshold, average="macro") for one in p]
    assert scores["two_classes"]["f1"].mean == pytest.approx(np.mean(f1))
    assert scores["two_classes"]["accuracy"].sd == pytest.approx(np.std(accuracies, ddof=1))


def test_numbers_of_classes_are_scored_as_classes(generator):
    y = generator.integers(0, 5, 30).astype(float)
    p = generator.integers(0, 5, (3, 30)).astype(float)
    scores = collection_scores(
        predictions=p, target=y, clips=CLIPS, labels=y, log_odds=False, classes=20
    )
    assert list(scores) == ["classes"]
    for average, name in (("macro", "f1"), ("weighted", "f1_weighted")):
        expected = [f1_score(y, one, average=average, zero_division=0) for one in p]
        assert scores["classes"][name].mean == pytest.approx(np.mean(expected))
    accuracies = [accuracy_score(y, one) for one in p]
    assert scores["classes"]["accuracy"].mean == pytest.approx(np.mean(accuracies))


def test_labels_from_minus_1_to_1_are_scored_as_ch_sims(generator):
    y = np.round(generator.uniform(-1, 1, 30), 1)
    p = generator.uniform(-1.2, 1.2, 30)
    scores = found(p, y)
    assert list(scores) == ["sims", "nonzero"]
    expected = sims_metrics(prediction=p, target=y)
    for name, one in scores["sims"].items():
        assert one.mean == pytest.approx(getattr(expected, name))
    wider = found(p, y, labels=[*y, 1.2])
    assert list(wider) == ["nonzero"]


def test_targets_of_0_are_left_out_as_by_mird(generator):
    y = np.rint(generator.normal(size=30))
    p = generator.normal(size=30)
    scores = found(p, y, labels=[*y, 3.0])["nonzero"]
    expected = sentiment_metrics(prediction=p, target=y, subset="nonzero")
    for name, one in scores.items():
        assert one.mean == pytest.approx(getattr(expected, name))
    assert found(p, np.zeros(30), labels=[-3.0, 0.0]) == {}


def test_every_name_is_explained(generator):
    y = np.round(generator.uniform(-1, 1, 30), 1)
    names = {"classes"} | set(found(y, y)) | set(found(y > 0, y > 0))
    assert names == set(COLLECTION_METRICS)
