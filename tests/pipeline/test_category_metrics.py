import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from pipeline.category_metrics import category_metrics
from pipeline.errors import DataError


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 20).flatmap(
        lambda k: st.tuples(
            st.just(k),
            st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1),
        )
    )
)
def test_equals_scikit_learn(drawn):
    classes, pairs = drawn
    predicted, target = zip(*pairs, strict=True)
    found = category_metrics(predicted=predicted, target=target, classes=classes)
    chosen = {"y_true": target, "y_pred": predicted, "average": "macro", "zero_division": 0}
    assert found.n == len(target)
    assert found.accuracy == pytest.approx(accuracy_score(target, predicted))
    assert found.f1 == pytest.approx(f1_score(**chosen))
    assert found.precision == pytest.approx(precision_score(**chosen))
    assert found.recall == pytest.approx(recall_score(**chosen))
    assert found.f1_weighted == pytest.approx(f1_score(**(chosen | {"average": "weighted"})))


def test_by_hand():
    # class 0: 2 of 2 called rightly, 2 of 3 found; class 1: 1 of 2, 1 of 1; class 2 is nowhere
    found = category_metrics(predicted=[0, 0, 1, 1], target=[0, 0, 0, 1], classes=3)
    assert found.accuracy == 0.75
    assert found.precision == pytest.approx((1 + 1 / 2) / 2)
    assert found.recall == pytest.approx((2 / 3 + 1) / 2)
    assert found.f1 == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert found.f1_weighted == pytest.approx((3 * 4 / 5 + 2 / 3) / 4)


@pytest.mark.parametrize(
    ("predicted", "target", "named"),
    [
        ([0, 3], [0, 1], "1 of 2 predicted classes, first 3"),
        ([0, 1], [-1, -1], "2 of 2 true classes, first -1"),
        ([0.5, 1], [0, 1], "first 0.5"),
        ([], [], "n >= 1"),
    ],
)
def test_numbers_that_are_no_class_are_refused(predicted, target, named):
    with pytest.raises(DataError, match=named):
        category_metrics(predicted=predicted, target=target, classes=3)
