import pytest

from pipeline.errors import DataError
from pipeline.formats.class_numbers import class_names, with_class_numbers
from pipeline.formats.utterance import Utterance


def utterances(*categories):
    return [Utterance(video=str(n), category=name) for n, name in enumerate(categories)]


def test_numbers_are_places_in_alphabetical_order():
    found = utterances("Thank", "Agree", "", "Thank", "Leave")
    classes = class_names(found)
    assert classes == ("Agree", "Leave", "Thank")
    labels = [one.label for one in with_class_numbers(found, classes=classes)]
    assert labels == [2.0, 0.0, None, 2.0, 1.0]


def test_a_class_that_is_not_known_is_named():
    with pytest.raises(DataError, match="'1' is of class 'Joke', which is not among Agree, Ask"):
        list(with_class_numbers(utterances("Ask", "Joke"), classes=("Agree", "Ask")))
