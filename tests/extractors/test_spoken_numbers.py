import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.spoken_numbers import read_aloud


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("0", "zero"),
        ("42", "forty two"),
        ("101", "one hundred one"),
        ("1,000,000", "one million"),
        ("2.05", "two point zero five"),
        (".5", "point five"),
        ("1066", "one thousand sixty six"),
        ("1999", "nineteen ninety nine"),
        ("2010", "twenty ten"),
        ("3rd", "third"),
        ("1,000th", "one thousandth"),
        ("'60s", "sixties"),
        ("12:00", "twelve o'clock"),
        ("$1", "one dollar"),
        ("£20", "twenty pounds"),
        ("¥500", "five hundred yen"),
        ("$1.50", "one dollars fifty"),
        ("$2bn", "two billion dollars"),
        ("50%", "fifty percent"),
        ("7+1", "seven plus one"),
        ("4x4", "four x four"),
    ],
)
def test_likeliest_reading(written, said):
    assert " ".join(read_aloud(written)[0]) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("250", "two hundred and fifty"),
        ("250", "two fifty"),
        ("2010", "two thousand and ten"),
        ("$1.50", "one fifty"),
        ("15:00", "fifteen hundred"),
    ],
)
def test_other_readings(written, said):
    assert said in [" ".join(reading) for reading in read_aloud(written)[1:]]


def test_very_long_numbers_are_read_digit_by_digit():
    assert read_aloud("1234567890123456")[0][:3] == ("one", "two", "three")


@given(st.integers(0, 10**15 - 1))
def test_grouping_does_not_change_the_reading_beyond_years(number):
    plain, grouped = read_aloud(str(number)), read_aloud(f"{number:,}")
    assert set(grouped) <= set(plain)


@given(st.text("0123456789.,:$€%&'-+stndrhk", min_size=1, max_size=12))
def test_every_reading_is_of_words(written):
    for reading in read_aloud(written):
        assert reading
        assert all(word and not any(map(str.isdigit, word)) for word in reading)
