import pytest

from flows.time_left import TimeLeft
from pipeline.time_limits import TimeLimits


def after(hours, **limits):
    return TimeLeft(limits=TimeLimits(**limits), clock=lambda: 3600.0 * hours, started=0.0)


def test_a_step_has_its_own_limit():
    assert after(0, train=2, flow=10).seconds("train") == 7200


def test_what_is_left_of_the_flow_bounds_its_steps():
    assert after(9, train=2, flow=10).seconds("train") == pytest.approx(3600)


def test_a_flow_that_has_taken_its_time_begins_no_step():
    with pytest.raises(TimeoutError, match=r"train: the run has taken its 10 h"):
        after(10, flow=10).seconds("train")


def test_a_flow_that_begins_now_has_all_its_time():
    assert TimeLeft(limits=TimeLimits(ingest=1)).seconds("ingest") == 3600
