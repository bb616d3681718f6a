import numpy as np
import pytest

from extractors.letter_to_sound import letter_to_sound
from extractors.pronunciation import pronunciations

COMMON = [
    "table", "winter", "market", "simple", "question", "happy", "mountain", "computer", "garden",
    "window", "letter", "student", "picture", "problem", "holiday", "remember", "important",
    "together", "number", "president", "yellow", "system", "camera", "river", "music", "animal",
]  # fmt: skip


def distance(one, other):
    """Levenshtein's distance."""
    row = np.arange(len(other) + 1)
    for i, a in enumerate(one, 1):
        before, row = row, np.full(len(other) + 1, i)
        for j, b in enumerate(other, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
    return row[-1]


def test_agrees_with_the_dictionary_on_common_words():
    wrong = [
        min(distance(letter_to_sound(word), one) for one in pronunciations(word)) for word in COMMON
    ]
    assert sum(wrong) / sum(len(pronunciations(word)[0]) for word in COMMON) < 0.1


def test_case_does_not_matter_and_strange_letters_do_no_harm():
    assert letter_to_sound("Blick") == letter_to_sound("blick")
    assert len(letter_to_sound("ø" * 60)) <= 20


@pytest.mark.parametrize(
    ("word", "begin", "end"), [("glorp", "G L", "P"), ("strimming", "S T R", "IH NG")]
)
def test_made_up_words_sound_as_spelled(word, begin, end):
    said = " ".join(letter_to_sound(word))
    assert said.startswith(begin)
    assert said.endswith(end)
