import math

import pytest

from extractors.words import TIME_SOURCES, Word


def test_a_word_of_a_caller_is_given_and_says_nothing_of_confidence():
    word = Word(text="so", start=0.0, end=0.0)
    assert (word.source, word.confidence) == ("given", None)


@pytest.mark.parametrize("source", TIME_SOURCES)
@pytest.mark.parametrize("confidence", [None, 0.0, 0.5, 1.0])
def test_every_source_and_confidence(source, confidence):
    word = Word(text="so", start=0.5, end=1.0, confidence=confidence, source=source)
    assert (word.source, word.confidence) == (source, confidence)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"text": " \n"}, "blank"),
        ({"start": -0.1}, "negative"),
        ({"start": 2.0}, "reversed"),
        ({"end": math.inf}, "finite"),
        ({"start": math.nan}, "finite"),
        ({"confidence": 1.1}, r"confidence 1\.1"),
        ({"confidence": -0.1}, r"outside \[0, 1\]"),
        ({"confidence": math.nan}, "nan"),
        ({"source": "guessed"}, "'guessed' is not one of subtitle"),
    ],
)
def test_what_is_no_word(changed, told):
    with pytest.raises(ValueError, match=told):
        Word(**({"text": "so", "start": 0.0, "end": 1.0} | changed))


def test_a_word_takes_no_more_room_than_its_fields():
    """A folder of 10,000 clips has half a million of them."""
    assert not hasattr(Word(text="so", start=0.0, end=0.5), "__dict__")
