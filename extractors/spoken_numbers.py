"""How what is not spelled out is read aloud in English: numbers, money, times, signs."""

import re
from collections.abc import Callable

from num2words import num2words  # type: ignore[import-untyped]

_CURRENCIES = {"$": "dollar", "£": "pound", "€": "euro", "¥": "yen"}
_SIGNS = {
    "%": "percent",
    "&": "and",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "#": "number",
    "°": "degrees",
    "*": "star",
    "/": "slash",
}
_LARGEST = 10**15
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_PIECE = re.compile(rf"{_NUMBER}|[^\W\d_]+(?:'[^\W\d_]+)*|[%&+=@#°*]")

Reading = tuple[str, ...]


def read_aloud(text: str) -> list[Reading]:
    """Spell out a token that holds digits or signs.

    Parameters
    ----------
    text : str
        A token without surrounding punctuation, such as ``$1,250``, ``2nd``, ``5:30``, ``20%``.

    Returns
    -------
    list of tuple of str
        Ways to read it, the likeliest first, as lower-case words and words as written; empty if
        there is nothing to read.
    """
    for pattern, read in _PATTERNS:
        match = pattern.fullmatch(text)
        if match:
            return read(match)
    readings: list[Reading] = [()]
    for piece in _PIECE.findall(text):
        readings = [one + more for one in readings for more in _piece(piece)][:4]
    return [reading for reading in readings if reading]


def _piece(piece: str) -> list[Reading]:
    if piece in _SIGNS:
        return [(_SIGNS[piece],)]
    if piece[0].isdigit() or piece[0] == ".":
        return _number(piece)
    return [(piece,)]


def _number(written: str) -> list[Reading]:
    digits = written.replace(",", "")
    if "." in digits:
        whole, _, decimals = digits.partition(".")
        ends = ("point", *(word for digit in decimals for word in _cardinal(int(digit))[0]))
        return [one + ends for one in (_cardinal(int(whole)) if whole else [()])]
    if "," not in written and len(digits) == 4 and 1100 <= int(digits) <= 2099:
        return [_year(int(digits)), *_cardinal(int(digits))]
    if (len(digits) > 1 and digits[0] == "0") or int(digits) >= _LARGEST:
        return [tuple(word for digit in digits for word in _cardinal(int(digit))[0])]
    if "," not in written and len(digits) == 3 and digits[1] != "0":
        short = _words(num2words(int(digits[0]))) + _words(num2words(int(digits[1:])))
        return [*_cardinal(int(digits)), short]
    return _cardinal(int(digits))


def _cardinal(number: int) -> list[Reading]:
    """With and without the "and" that not everybody says."""
    full = _words(num2words(number))
    short = tuple(word for word in full if word != "and")
    return [short] if short == full else [short, full]


def _year(number: int) -> Reading:
    return tuple(w for w in _words(num2words(number, to="year")) if w != "and")


def _ordinal(match: re.Match[str]) -> list[Reading]:
    words = _words(num2words(int(match[1].replace(",", "")), to="ordinal"))
    short = tuple(word for word in words if word != "and")
    return [short] if short == words else [short, words]


def _decade(match: re.Match[str]) -> list[Reading]:
    number = int(match[1])
    *start, last = _year(number) if number >= 1100 else _cardinal(number)[0]
    last = last[:-1] + "ies" if last.endswith("y") else last + "s"
    return [(*start, last)]


def _clock(match: re.Match[str]) -> list[Reading]:
    hour, minute = int(match[1]), int(match[2])
    start = _words(num2words(hour))
    if minute == 0:
        return [(*start, "o'clock"), start, (*start, "hundred")]
    between = ("oh",) if minute < 10 else ()
    return [start + between + _words(num2words(minute))]


def _money(match: re.Match[str]) -> list[Reading]:
    amount, scale = match["amount"], match["scale"].lower()
    unit = _CURRENCIES[match["sign"]]
    units = unit if unit == "yen" else unit + "s"
    large = {"": (), "k": ("thousand",), "m": ("million",), "b": ("billion",), "bn": ("billion",)}
    whole, _, cents = amount.partition(".")
    if len(cents) == 2 and not scale:
        ends = [*_cardinal(int(cents))] if int(cents) else [()]
        return [(*start, units, *end) for start in _number(whole)[:1] for end in ends] + [
            start + end for start in _number(whole)[:1] for end in ends if end
        ]
    singular = amount == "1" and not scale
    return [
        (*number, *large[scale], unit if singular else units) for number in _number(amount)[:2]
    ] + [(*number, *large[scale]) for number in _number(amount)[:1]]


def _words(spelled: str) -> Reading:
    return tuple(re.findall(r"[a-z']+", spelled.lower()))


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], list[Reading]]], ...] = (
    (re.compile(r"(\d{1,3}(?:,\d{3})+|\d{1,12})(?:st|nd|rd|th)", re.I), _ordinal),
    (re.compile(r"'?(\d{1,3}0)'?s"), _decade),
    (re.compile(r"(\d{1,2}):([0-5]\d)"), _clock),
    (
        re.compile(rf"(?P<sign>[$£€¥])(?P<amount>{_NUMBER})(?P<scale>k|m|bn|b|)", re.I),
        _money,
    ),
)
