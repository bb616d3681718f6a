import numpy as np
import pytest

from pipeline.collection_metrics import COLLECTION_METRICS, collection_scores
from pipeline.metrics import sentiment_metrics
from pipeline.sims_metrics import sims_metrics

CLIPS = [f"c{number}" for number in range(30)]


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def found(p, y, *, labels=None):
    return collection_scores(
        predictions=p, target=y, clips=CLIPS, labels=y if labels is None else labels
    )


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
    assert set(found(y, y)) == set(COLLECTION_METRICS)
