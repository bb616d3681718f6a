import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from pipeline.errors import DataError
from pipeline.sims_metrics import sims_metrics

# tenths put many scores on the divisions
tenths = st.integers(-13, 13).map(lambda number: number / 10)
pairs = st.integers(1, 40).flatmap(
    lambda n: st.tuples(arrays(float, n, elements=tenths), arrays(float, n, elements=tenths))
)


def classes(scores, edges):
    """Numbers of the intervals (edge, next edge]."""
    return [sum(score > edge for edge in edges[1:-1]) for score in scores]


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_equals_scikit_learn(pair):
    p, y = pair
    found = sims_metrics(prediction=p, target=y)
    p, y = np.clip(p, -1, 1), np.clip(y, -1, 1)
    assert found.n == len(y)
    assert found.mae == pytest.approx(mean_absolute_error(y, p))
    if np.ptp(p) > 0 and np.ptp(y) > 0:
        assert found.correlation == pytest.approx(pearsonr(p, y).statistic, abs=1e-9)
    else:
        assert math.isnan(found.correlation)
    for name, edges in {
        "accuracy_2": (-1, 0, 1),
        "accuracy_3": (-1, -0.1, 0.1, 1),
        "accuracy_5": (-1, -0.7, -0.1, 0.1, 0.7, 1),
    }.items():
        assert getattr(found, name) == pytest.approx(
            accuracy_score(classes(y, edges), classes(p, edges))
        )
    assert found.f1 == pytest.approx(
        f1_score(y > 0, p > 0, average="weighted", zero_division=0), abs=1e-9
    )


@pytest.mark.parametrize(
    ("score", "of_2", "of_3", "of_5"),
    [
        (-1.0, 0, 0, 0),
        (-0.7, 0, 0, 0),
        (-0.6, 0, 0, 1),
        (-0.1, 0, 0, 1),
        (0.0, 0, 1, 2),
        (0.1, 1, 1, 2),
        (0.2, 1, 2, 3),
        (0.7, 1, 2, 3),
        (0.8, 1, 2, 4),
        (5.0, 1, 2, 4),
    ],
)
def test_a_division_belongs_to_the_class_below(score, of_2, of_3, of_5):
    inside = {2: (-0.5, 0.5), 3: (-0.5, 0.0, 0.5), 5: (-0.9, -0.4, 0.0, 0.4, 0.9)}
    for number, own in ((2, of_2), (3, of_3), (5, of_5)):
        for other, target in enumerate(inside[number]):
            found = sims_metrics(prediction=[score], target=[target])
            assert getattr(found, f"accuracy_{number}") == float(other == own)
            stored = sims_metrics(prediction=torch.tensor([score]), target=[target])
            assert getattr(stored, f"accuracy_{number}") == float(other == own)


def test_errors_are_of_clipped_scores():
    found = sims_metrics(prediction=[3.0, -2.0], target=[0.8, -1.0])
    assert found.mae == pytest.approx(0.1)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(DataError, match="1 of 1 targets"):
        sims_metrics(prediction=[0.0], target=[math.nan])
