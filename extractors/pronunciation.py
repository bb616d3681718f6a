"""How words as written are pronounced in English."""

import functools
import itertools
import re
import string
import unicodedata
from collections.abc import Mapping, Sequence

from extractors.letter_to_sound import letter_to_sound
from extractors.sphinx_model import model_folder
from extractors.spoken_numbers import read_aloud

Phones = tuple[str, ...]
#: Pronunciations that a token can have at most.
MOST_PRONUNCIATIONS = 4
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})
_TOP_DOMAINS = "com|org|net|edu|gov|io|ai|co|tv|uk|de|eu|info|app|me"
_ADDRESS = re.compile(
    rf"(?:https?://|www\.)\S+|\S+@\S+\.\S+|[\w-]+(?:\.[\w-]+)*\.(?:{_TOP_DOMAINS})(?:/\S*)?", re.I
)
_ADDRESS_SIGNS = {".": "dot", "/": "slash", "@": "at", "-": "dash", "_": "underscore", ":": "colon"}
# Nothing but letters, small ones but for the first of each part.
_LETTERS = r"[^\W\d_](?:(?![A-Z])[^\W\d_])*"
_TELLING = re.compile(rf"[\W_]*{_LETTERS}(?:['’./–—-]{_LETTERS})*[\W_]*")
_INITIALS = re.compile(r"(?:[A-Za-z]\.){2,}(?:[A-Za-z]|'s|s)?|(?:[A-Za-z]\.)+")
_HARD_END = frozenset({"P", "T", "K", "F", "TH"})
_HISSING_END = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})


@functools.lru_cache(maxsize=16384)
def pronunciations(token: str) -> tuple[Phones, ...]:
    """Pronounce a token of a transcript.

    Parameters
    ----------
    token : str
        As written, with punctuation: ``It's``, ``1,250``, ``U.S.``, ``well-known,``.

    Returns
    -------
    tuple of tuple of str
        Up to four, as phones of the CMU dictionary without stress, the likeliest first; none if
        nothing in the token is spoken or its script is not Latin.

    Raises
    ------
    MissingModelError
        If the dictionary, or the network for words that are not in it, is not installed.
    """
    plain = unicodedata.normalize("NFKC", token).translate(_APOSTROPHES)
    readings = _readings(plain)
    found: list[Phones] = []
    for reading in readings:
        parts = [_word_pronunciations(word) for word in reading]
        if not parts or not all(parts):
            continue
        several = len(parts) > 1
        for choice in itertools.product(*(part[: 2 if several else None] for part in parts)):
            phones = tuple(itertools.chain.from_iterable(choice))
            if phones not in found:
                found.append(phones)
            if several and len(found) % 2 == 0:
                break
    return tuple(found[:MOST_PRONUNCIATIONS])


def dictionary_share(tokens: Sequence[str]) -> float:
    """Share of the different words of a text that the English dictionary holds.

    Parameters
    ----------
    tokens : sequence of str
        As written.

    Returns
    -------
    float
        0 to 1; 0 without any word. Tokens without letters do not count, and those with digits,
        addresses and names such as ``NASDAQ`` and ``GPUs``, which are the same in many languages,
        only where most words are such.
    """
    words = {_bare(token) for token in tokens if any(map(str.isalpha, token))}
    telling = {_bare(token) for token in tokens if _TELLING.fullmatch(token)}
    words = telling if len(telling) >= len(words) / 2 else words
    known = _dictionary()
    held = sum(all(part in known for part in re.split(r"[-–—/]+", word) if part) for word in words)
    return held / len(words) if words else 0.0


def _bare(token: str) -> str:
    plain = unicodedata.normalize("NFKC", token).translate(_APOSTROPHES).lower()
    outside = "".join(c for c in string.punctuation if c != "'") + "“”„«»…¿¡–—"
    return plain.strip(outside).strip("'") if plain not in _dictionary() else plain


def _readings(token: str) -> list[tuple[str, ...]]:
    """Ways to read a token, as words."""
    token = token.strip('"“”„«»…¿¡()[]{}<>,;:!?~^|\\')
    if token.lower() in _dictionary():
        return [(token,)]
    address = token.rstrip(".")
    if _ADDRESS.fullmatch(address):
        return [_address(address)]
    if _INITIALS.fullmatch(token):
        return [tuple(f"{c}." for c in token if c.isalpha())]
    token = token.strip(".*_-–—")
    bare = token.strip("'")
    for word in (token, bare):
        if word.lower() in _dictionary():
            return [(word,)]
    if any(not (c.isalpha() or c in "'-–—/.") for c in token):
        return read_aloud(token)
    parts = tuple(part for part in re.split(r"[-–—/.]+", bare) if any(map(str.isalpha, part)))
    return [parts] if parts else []


def _address(written: str) -> tuple[str, ...]:
    words = re.findall(r"[^\W\d_]+|\d|[./@_:-]", re.sub(r"^https?://", "", written, flags=re.I))
    spoken: list[str] = []
    for word in words:
        if word.lower() == "www":
            spoken += ["w."] * 3
        elif word.isdigit():
            spoken += read_aloud(word)[0]
        else:
            spoken.append(_ADDRESS_SIGNS.get(word, word))
    return tuple(spoken)


@functools.lru_cache(maxsize=16384)
def _word_pronunciations(word: str) -> tuple[Phones, ...]:
    known = _dictionary()
    lower = word.lower()
    if lower in known:
        return _parse(known[lower])
    letters = unicodedata.normalize("NFKD", lower)
    letters = "".join(c for c in letters if not unicodedata.combining(c))
    if letters in known:
        return _parse(known[letters])
    if not letters.replace("'", "").isascii() or not any(map(str.isalpha, letters)):
        return ()
    stem, apostrophe, ending = letters.rpartition("'")
    if apostrophe and ending in ("s", ""):
        return tuple(_with_s(phones) for phones in _word_pronunciations(stem)) if stem else ()
    spelled = _spelled(letters)
    if len(letters) == 1 or not set(letters) & set("aeiouy"):
        return (spelled,)
    guess = letter_to_sound(letters.replace("'", ""))
    if word.isupper() and len(letters) <= 5:
        return (spelled, guess) if guess else (spelled,)
    return (guess,) if guess else (spelled,)


def _spelled(letters: str) -> Phones:
    known = _dictionary()
    names = [_parse(known[f"{c}."])[0] for c in letters if f"{c}." in known]
    return tuple(itertools.chain.from_iterable(names))


def _with_s(phones: Phones) -> Phones:
    if phones[-1] in _HISSING_END:
        return (*phones, "IH", "Z")
    return (*phones, "S" if phones[-1] in _HARD_END else "Z")


def _parse(lines: tuple[str, ...]) -> tuple[Phones, ...]:
    return tuple(tuple(line.split()) for line in lines[:MOST_PRONUNCIATIONS])


@functools.cache
def _dictionary() -> Mapping[str, tuple[str, ...]]:
    """Read the CMU dictionary that comes with pocketsphinx."""
    words: dict[str, tuple[str, ...]] = {}
    path = model_folder() / "cmudict-en-us.dict"
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, phones = line.partition(" ")
        if word.endswith(")") and word[-3:-2] == "(":
            word = word[:-3]
            words[word] = (*words.get(word, ()), phones)
        else:
            words[word] = (phones,)
    return words
