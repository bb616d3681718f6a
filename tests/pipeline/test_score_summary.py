import math

import numpy as np
import pytest

from pipeline.bootstrap import bootstrap_intervals
from pipeline.category_metrics import category_scoring
from pipeline.metrics import SENTIMENT, sentiment_metrics
from pipeline.score_summary import mean_and_sd, score_seeds


def test_mean_deviation_and_interval():
    y = np.random.default_rng(0).normal(size=20)
    p = y + np.random.default_rng(1).normal(size=(3, 20))
    clips = [f"c{number // 2}" for number in range(20)]
    found = score_seeds(predictions=p, target=y, clips=clips, scoring=SENTIMENT)
    intervals = bootstrap_intervals(predictions=p, target=y, clips=clips)
    for name, one in found.items():
        values = [getattr(sentiment_metrics(prediction=seed, target=y), name) for seed in p]
        assert one.mean == pytest.approx(np.mean(values))
        assert one.sd == pytest.approx(np.std(values, ddof=1))
        assert one.interval == intervals[name]


def test_one_seed_and_classes():
    found = score_seeds(
        predictions=[0.0, 1.0, 1.0],
        target=[0.0, 1.0, 0.0],
        clips=["a", "b", "c"],
        scoring=category_scoring(2),
    )
    assert found["accuracy"].mean == pytest.approx(2 / 3)
    assert math.isnan(found["accuracy"].sd)


def test_what_one_seed_does_not_have_the_mean_does_not_have():
    assert mean_and_sd([1.0, 2.0, 6.0]) == {"mean": 3.0, "sd": pytest.approx(math.sqrt(7))}
    assert all(math.isnan(value) for value in mean_and_sd([1.0, math.nan]).values())
