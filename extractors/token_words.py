"""Put a recogniser's tokens together to words."""

import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

#: Languages written without spaces between words, ISO 639.
UNSPACED_LANGUAGES = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km"})
REPLACEMENT = "\ufffd"
LONGEST_CHARACTER = 4
OPENING = frozenset("\"'([{<$€£¥¿¡“‘«„")


class TokenWord(NamedTuple):
    """A word and the tokens it is written with.

    Attributes
    ----------
    text : str
        The word, punctuation included, without space around it.
    first, last : int
        Its tokens are ``[first, last)``.
    """

    text: str
    first: int
    last: int


def words_of_tokens(
    *, tokens: Sequence[int], decode: Callable[[Sequence[int]], str], spaced: bool
) -> list[TokenWord]:
    """Group byte-level tokens into words.

    Parameters
    ----------
    tokens : sequence of int
        Text tokens in order, no special ones.
    decode : callable
        Text of some tokens; characters that are not whole come out as U+FFFD.
    spaced : bool
        Whether the language puts spaces between words; without them every token that is a whole
        number of characters is a word.

    Returns
    -------
    list of TokenWord
        In order. Punctuation that stands alone belongs to the word before it, opening marks to
        the word after; signs that are neither word nor punctuation are left out.
    """
    words: list[TokenWord] = []
    for piece in _whole_characters(tokens=tokens, decode=decode):
        if words and spaced and not piece.text[:1].isspace():
            piece = _joined(words.pop(), piece)
        words.append(piece)
    return _with_punctuation(
        [
            TokenWord(text, word.first, word.last)
            for word in words
            if (text := word.text.replace(REPLACEMENT, "").strip())
        ]
    )


def _whole_characters(
    *, tokens: Sequence[int], decode: Callable[[Sequence[int]], str]
) -> list[TokenWord]:
    """Join tokens that share a character; what never becomes one is let through."""
    pieces: list[TokenWord] = []
    first = 0
    for last in range(1, len(tokens) + 1):
        if last - first > 1 and decode(tokens[last - 1 : last])[:1].isspace():
            pieces.append(TokenWord("", first, last - 1))
            first = last - 1
        text = decode(tokens[first:last])
        if not text.endswith(REPLACEMENT) or last - first >= LONGEST_CHARACTER:
            pieces.append(TokenWord(text, first, last))
            first = last
    return pieces


def _with_punctuation(words: Sequence[TokenWord]) -> list[TokenWord]:
    done: list[TokenWord] = []
    opening: TokenWord | None = None
    for word in words:
        if _is_word(word.text):
            if opening is not None:
                word = _joined(opening, word)
            done.append(word)
            opening = None
        elif not _is_punctuation(word.text):
            continue
        elif word.text[0] in OPENING:
            opening = word if opening is None else _joined(opening, word)
        elif done:
            done.append(_joined(done.pop(), word))
    return done


def _joined(before: TokenWord, after: TokenWord) -> TokenWord:
    return TokenWord(before.text + after.text, before.first, after.last)


def _is_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _is_punctuation(text: str) -> bool:
    return all(unicodedata.category(c).startswith("P") or c in OPENING for c in text)
