import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.alignment import LEAST_DICTIONARY_SHARE
from extractors.pronunciation import MOST_PRONUNCIATIONS, dictionary_share, pronunciations

# The first article of the Universal Declaration of Human Rights.
ARTICLE = {
    "en": "All human beings are born free and equal in dignity and rights. They are endowed with "
    "reason and conscience and should act towards one another in a spirit of brotherhood.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft "
    "und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués "
    "de raison et de conscience et doivent agir les uns envers les autres dans un esprit de "
    "fraternité.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como "
    "están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati "
    "di ragione e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza.",
    "nl": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd "
    "met verstand en geweten, en behoren zich jegens elkander in een geest van broederschap te "
    "gedragen.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "zh": "人人生而自由，在尊严和权利上一律平等。",
}  # fmt: skip


def first(token: str) -> str:
    return " ".join(pronunciations(token)[0])


@pytest.mark.parametrize(
    ("token", "as_words"),
    [
        ("Hello,", ["hello"]),
        ("(world)!", ["world"]),
        ("IT’S", ["it's"]),
        ("well-known", ["well", "known"]),
        ("$5", ["five", "dollars"]),
        ("$1", ["one", "dollar"]),
        ("$3.2m", ["three", "point", "two", "million", "dollars"]),
        ("2nd", ["second"]),
        ("21st", ["twenty", "first"]),
        ("20%", ["twenty", "percent"]),
        ("1,250", ["one", "thousand", "two", "hundred", "fifty"]),
        ("3.14", ["three", "point", "one", "four"]),
        ("1984", ["nineteen", "eighty", "four"]),
        ("1990s", ["nineteen", "nineties"]),
        ("5:30", ["five", "thirty"]),
        ("9:05", ["nine", "oh", "five"]),
        ("007", ["zero", "zero", "seven"]),
        ("&", ["and"]),
        ("10km", ["ten", "k.", "m."]),
        ("U.S.", ["u.", "s."]),
        ("R&B", ["r.", "and", "b."]),
        ("café", ["cafe"]),
    ],
)
def test_tokens_are_said_as_these_words(token, as_words):
    phones = [phone for word in as_words for phone in pronunciations(word)[0]]
    assert first(token) == " ".join(phones)


@pytest.mark.parametrize(
    ("token", "phones"),
    [
        ("through", "TH R UW"),
        ("x", "EH K S"),
        ("NASA's", "N AE S AH Z"),
        ("RTFM", "AA R T IY EH F EH M"),
    ],
)
def test_pronunciations(token, phones):
    assert first(token) == phones


def test_address_is_spelled_with_its_signs():
    dot = first("dot")
    assert f"{first('www')} {dot} " in first("www.example.org") + " "
    assert f" {first('at')} " in first("bob@example.com")


def test_both_readings_of_a_year_are_known():
    said = pronunciations("1984")
    assert tuple(first("nineteen").split() + first("eighty").split() + ["F", "AO", "R"]) in said
    assert any(one[: len(first("one").split())] == tuple(first("one").split()) for one in said)


@pytest.mark.parametrize("token", ["…", "--", "你好", "Привет", "♪", "'"])
def test_what_is_not_spoken_or_not_latin_has_none(token):
    assert pronunciations(token) == ()


@pytest.mark.parametrize(("word", "alike"), [("wugs", "W AH G Z"), ("blickish", "B L IH K IH SH")])
def test_words_in_no_dictionary_are_guessed(word, alike):
    assert first(word) == alike


@given(st.text(min_size=1, max_size=20))
def test_any_token_has_few_pronunciations_of_known_phones(token):
    said = pronunciations(token)
    assert len(said) <= MOST_PRONUNCIATIONS
    assert all(phone.isalpha() and phone.isupper() for one in said for phone in one)
    assert all(said), json.dumps(token)


def test_english_is_told_from_its_neighbours():
    shares = {language: dictionary_share(text.split()) for language, text in ARTICLE.items()}
    assert shares.pop("en") > 0.95
    assert max(shares.values()) < 0.75, shares
    assert dictionary_share(["...", "42"]) == 0


@pytest.mark.parametrize(
    "text",
    [
        "In 2014 O'Neill's start-up (NASDAQ: XYZQ) made $3.5bn and paid bob@example.com in full",
        "PyTorch and TensorFlow use CUDA kernels on GPUs",
        "WE HAD A VERY GOOD TIME AT THE BEACH LAST SUMMER",
    ],
)
def test_names_and_numbers_tell_no_language(text):
    assert dictionary_share(text.split()) >= LEAST_DICTIONARY_SHARE


@pytest.mark.parametrize("language", [name for name in ARTICLE if name != "en"])
def test_other_languages_in_capitals_or_with_names(language):
    for text in (ARTICLE[language].upper(), f"NASDAQ {ARTICLE[language]} 3.5bn GPUs"):
        assert dictionary_share(text.split()) < LEAST_DICTIONARY_SHARE
