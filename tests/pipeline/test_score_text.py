import math

from pipeline.bootstrap import Difference, Interval
from pipeline.report import Summary
from pipeline.score_text import difference_text, interval_text, mean_sd_text, number_text


def test_numbers_and_what_is_none():
    assert number_text(0.71249) == "0.712"
    assert number_text(-1) == "-1.000"
    assert number_text(math.nan) == "–"


def test_one_seed_has_no_deviation():
    assert mean_sd_text(Summary(mean=0.7593, sd=0.0111)) == "0.759 ± 0.011"
    assert mean_sd_text(Summary(mean=0.7593, sd=math.nan)) == "0.759"
    assert mean_sd_text(Summary(mean=math.nan, sd=math.nan)) == "–"


def test_an_interval_or_none():
    assert interval_text(Interval(low=-0.1, high=0.25)) == "-0.100 to 0.250"
    assert interval_text(Interval(low=math.nan, high=math.nan)) == "–"
    assert interval_text(None) == "–"


def test_a_difference_with_its_sign():
    interval = Interval(low=0.0121, high=0.0814)
    found = Difference(difference=0.0471, interval=interval, p_value=0.008)
    assert difference_text(found) == "+0.047 (0.012 to 0.081), p 0.008"
    unknown = Difference(difference=math.nan, interval=interval, p_value=math.nan)
    assert difference_text(unknown) == difference_text(None) == "–"
