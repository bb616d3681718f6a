"""Times for words that were not found, between those that were."""

from collections.abc import Mapping, Sequence

from extractors.sequence import Seconds
from extractors.words import Word


def share_gaps(
    *, tokens: Sequence[str], placed: Mapping[int, Word], begin: Seconds, end: Seconds
) -> list[Word]:
    """Share the gaps between placed words out among the others, by their length in letters.

    Parameters
    ----------
    tokens : sequence of str
        All words as written, in order.
    placed : mapping of int to Word
        Those that have a place, by their number; in order of time, not overlapping.
    begin, end : Seconds
        Where the first gap begins and the last one ends.

    Returns
    -------
    list of Word
        One for each token, in order; the shared ones are ``interpolated``.
    """
    words: list[Word] = []
    missing: list[str] = []
    for number, token in enumerate(tokens):
        word = placed.get(number)
        if word is None:
            missing.append(token)
            continue
        words += _shared(missing, words[-1].end if words else begin, word.start)
        words.append(word)
        missing = []
    return words + _shared(missing, words[-1].end if words else begin, end)


def _shared(tokens: Sequence[str], start: Seconds, end: Seconds) -> list[Word]:
    length = max(0.0, end - start)
    total = sum(len(token) + 1 for token in tokens)
    edges = [start]
    for token in tokens:
        edges.append(edges[-1] + length * (len(token) + 1) / total)
    return [
        Word(text=token, start=left, end=right, source="interpolated")
        for token, left, right in zip(tokens, edges, edges[1:], strict=False)
    ]
