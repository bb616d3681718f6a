import json
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import TypeAdapter
from scipy.stats import pearsonr
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error
from torchmetrics.functional import mean_absolute_error as mean_absolute_error_of_torch
from torchmetrics.functional import pearson_corrcoef
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from pipeline.errors import DataError
from pipeline.metrics import METRIC_NAMES, SentimentMetrics, sentiment_metrics

# quarters put many scores on 0 and on the halves, where conventions differ
quarters = st.integers(-14, 14).map(lambda number: number / 4)
pairs = st.integers(1, 40).flatmap(
    lambda n: st.tuples(arrays(float, n, elements=quarters), arrays(float, n, elements=quarters))
)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_equals_scikit_learn(pair):
    p, y = pair
    found = sentiment_metrics(prediction=p, target=y)
    assert found.mae == pytest.approx(mean_absolute_error(y, p))
    assert found.accuracy_2_has0 == pytest.approx(accuracy_score(y >= 0, p >= 0))
    assert found.f1_has0 == pytest.approx(
        f1_score(y >= 0, p >= 0, average="weighted", zero_division=0), abs=1e-6
    )
    assert found.f1_swapped_has0 == pytest.approx(
        f1_score(p >= 0, y >= 0, average="weighted", zero_division=0)
    )
    for name, limit in (("accuracy_7", 3), ("accuracy_5", 2), ("accuracy_3", 1)):
        classes = [np.round(np.clip(x, -limit, limit)) for x in (y, p)]
        assert getattr(found, name) == pytest.approx(accuracy_score(*classes))
    some = y != 0
    assert (found.n, found.n_nonzero) == (len(y), some.sum())
    if some.any():
        assert found.accuracy_2_non0 == pytest.approx(accuracy_score(y[some] > 0, p[some] > 0))
        assert found.f1_non0 == pytest.approx(
            f1_score(y[some] > 0, p[some] > 0, average="weighted", zero_division=0), abs=1e-6
        )
        assert found.f1_swapped_non0 == pytest.approx(
            f1_score(p[some] > 0, y[some] > 0, average="weighted", zero_division=0)
        )


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_equals_torchmetrics(pair):
    p, y = (torch.from_numpy(values) for values in pair)
    found = sentiment_metrics(prediction=p, target=y)
    assert found.mae == pytest.approx(float(mean_absolute_error_of_torch(p, y)))
    if len(y) > 1 and float(p.std()) > 0 and float(y.std()) > 0:
        assert found.correlation == pytest.approx(float(pearson_corrcoef(p, y)), abs=1e-9)
    has0 = (p >= 0).long(), (y >= 0).long()
    assert found.accuracy_2_has0 == pytest.approx(
        float(multiclass_accuracy(*has0, num_classes=2, average="micro"))
    )
    assert found.f1_has0 == pytest.approx(
        float(multiclass_f1_score(*has0, num_classes=2, average="weighted")), abs=1e-6
    )


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_the_subset_is_as_if_the_others_were_not_there(pair):
    p, y = pair
    if not y.any():
        with pytest.raises(DataError, match="n >= 1"):
            sentiment_metrics(prediction=p, target=y, subset="nonzero")
        return
    found = sentiment_metrics(prediction=p, target=y, subset="nonzero")
    assert found.n == found.n_nonzero == np.count_nonzero(y)
    assert found.mae == pytest.approx(np.abs(p - y)[y != 0].mean())
    # what MIRD's code prints: a prediction of 0 counts as positive, a target of 0 not at all
    assert found.accuracy_2_has0 == pytest.approx(((p >= 0) == (y > 0))[y != 0].mean())


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_correlation_equals_scipy(pair):
    p, y = pair
    assume(np.ptp(p) > 0 and np.ptp(y) > 0)
    found = sentiment_metrics(prediction=p, target=y).correlation
    assert found == pytest.approx(pearsonr(p, y).statistic, abs=1e-9)


@pytest.mark.parametrize(
    ("score", "seventh"),
    [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (-2.5, -2), (7.0, 3), (-7.0, -3)],
)
def test_seven_classes_round_halves_to_even_and_clip(score, seventh):
    for target in range(-3, 4):
        found = sentiment_metrics(prediction=[score], target=[target]).accuracy_7
        assert found == float(target == seventh)


def test_a_prediction_of_zero_is_not_negative_in_one_convention_and_not_positive_in_the_other():
    found = sentiment_metrics(prediction=[0.0, 0.0, 0.0], target=[1.0, 0.0, -1.0])
    assert found.accuracy_2_has0 == pytest.approx(2 / 3)
    assert found.accuracy_2_non0 == pytest.approx(1 / 2)


def test_f1_weights_by_the_true_classes():
    # truth + + + -, predicted - - + +: F1 of + is 2 * 1 / (2 * 1 + 1 + 2) = 0.4, F1 of - is 0;
    # weighted by the truth 3/4 * 0.4 = 0.3, with the arguments swapped 2/4 * 0.4 = 0.2
    found = sentiment_metrics(prediction=[-1, -1, 1, 1], target=[1, 1, 1, -1])
    assert found.f1_non0 == pytest.approx(0.3)
    assert found.f1_has0 == pytest.approx(0.3)
    assert found.f1_swapped_non0 == pytest.approx(0.2)
    assert found.f1_swapped_has0 == pytest.approx(0.2)


def test_five_and_three_classes_clip_before_they_round():
    found = sentiment_metrics(prediction=[2.6, 1.6, 0.5, -0.6], target=[1.5, 1.0, 1.0, -3.0])
    # 7 classes: 3 2 0 -1 and 2 1 1 -3; 5: 2 2 0 -1 and 2 1 1 -2; 3: 1 1 0 -1 and 1 1 1 -1
    assert (found.accuracy_7, found.accuracy_5, found.accuracy_3) == (0, 0.25, 0.75)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1 / 3])
def test_a_constant_prediction_has_no_correlation(constant):
    prediction = torch.full((7,), constant)
    target = torch.arange(7) - 3.0
    assert math.isnan(sentiment_metrics(prediction=prediction, target=target).correlation)
    assert math.isnan(sentiment_metrics(prediction=target, target=prediction).correlation)


def test_only_neutral_targets_leave_the_nonzero_scores_open():
    found = sentiment_metrics(prediction=[0.2, -0.3], target=[0.0, 0.0])
    assert found.n_nonzero == 0
    assert math.isnan(found.accuracy_2_non0)
    assert math.isnan(found.f1_non0)
    assert found.accuracy_2_has0 == 0.5


def test_tensors_and_arrays_give_the_same():
    p, y = np.linspace(-2, 2, 9), np.linspace(-3, 1, 9)
    assert sentiment_metrics(prediction=p, target=y) == sentiment_metrics(
        prediction=torch.tensor(p), target=torch.tensor(y)
    )


@pytest.mark.parametrize(
    ("prediction", "target", "named"),
    [
        ([], [], "n >= 1"),
        ([1.0], [1.0, 2.0], r"\(1,\) and \(2,\)"),
        ([[1.0]], [[1.0]], r"\(1, 1\)"),
        ([math.nan, 1.0], [0.0, 1.0], "1 of 2 predictions"),
        ([0.0, 1.0], [math.inf, math.nan], "2 of 2 targets"),
    ],
)
def test_what_cannot_be_scored_is_refused(prediction, target, named):
    with pytest.raises(DataError, match=named):
        sentiment_metrics(prediction=prediction, target=target)


def test_nan_is_null_in_a_file_and_nan_again():
    adapter = TypeAdapter(SentimentMetrics)
    metrics = sentiment_metrics(prediction=[0.5, 0.5], target=[0.0, 0.0])
    text = adapter.dump_json(metrics).decode()
    strict = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert strict["correlation"] is None
    back = adapter.validate_json(text)
    for name in METRIC_NAMES:
        assert getattr(back, name) == pytest.approx(getattr(metrics, name), nan_ok=True)
