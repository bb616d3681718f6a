"""Passages of a transcript: what is said in a span of time, with or without times of its words."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby

from extractors.sequence import Seconds
from extractors.words import Word

Span = tuple[Seconds, Seconds]
#: Places tokens in spans of time: one word a token, in order.
Aligner = Callable[[Sequence[str], Sequence[Span]], Sequence[Word]]


@dataclass(frozen=True, kw_only=True)
class Passage:
    """What one speaker says in a span of time.

    Consecutive passages with the same span follow each other somewhere inside it: two speakers in
    one subtitle, or all of a plain text.

    Parameters
    ----------
    start, end : Seconds
        From the start of the clip, ``0 <= start <= end``.
    tokens : tuple of str
        The words as written; none if only events happen.
    words : tuple of Word
        One for each token, or none as long as nobody gave them times.
    speaker : str or None
        As the file names them.
    is_turn : bool
        Whether the file says that somebody else begins to speak here.
    events : tuple of str
        What is heard and not said, such as ``Music``.
    line : int
        Where it stands in its file, from 1; 0 in files without lines.

    Raises
    ------
    ValueError
        If there are words, but not one for each token.
    """

    start: Seconds
    end: Seconds
    tokens: tuple[str, ...]
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    is_turn: bool = False
    events: tuple[str, ...] = ()
    line: int = 0

    def __post_init__(self) -> None:
        if self.words and tuple(word.text for word in self.words) != self.tokens:
            raise ValueError(
                f"passage at {self.start} s: {len(self.words)} words for {len(self.tokens)} "
                "tokens, or other words"
            )

    @property
    def has_word_times(self) -> bool:
        """Whether at least half of the words have times that are not merely shared out."""
        placed = sum(word.source != "interpolated" for word in self.words)
        return bool(self.tokens) and 2 * placed >= len(self.tokens)

    @property
    def span(self) -> Span:
        """The span as a pair."""
        return self.start, self.end


def spread_words(tokens: Sequence[str], spans: Sequence[Span]) -> list[Word]:
    """Share spans of time out among words by their length in letters.

    Parameters
    ----------
    tokens : sequence of str
        The words.
    spans : sequence of (start, end)
        In time order, at least one; gaps between them get no words' starts.

    Returns
    -------
    list of Word
        One for each token, ``interpolated``.

    Examples
    --------
    >>> [(w.text, w.start, w.end) for w in spread_words(["so", "so"], [(0.0, 1.0), (3.0, 4.0)])]
    [('so', 0.0, 1.0), ('so', 3.0, 4.0)]
    """
    # A word costs its letters and the space after it.
    ends = list(accumulate(len(token) + 1 for token in tokens))
    if not ends:
        return []
    done = [0.0, *accumulate(end - start for start, end in spans)]

    def place(share: float, *, at_end: bool) -> Seconds:
        spoken = share * done[-1]
        # An end stays in the span it closes, a start opens the next.
        span = bisect_left(done, spoken) - 1 if at_end else _last_at_most(done, spoken)
        span = min(max(span, 0), len(spans) - 1)
        return min(spans[span][0] + spoken - done[span], spans[span][1])

    words = []
    for token, begin, end in zip(tokens, [0, *ends], ends, strict=False):
        start = place(begin / ends[-1], at_end=False)
        stop = max(start, place(end / ends[-1], at_end=True))
        words.append(Word(text=token, start=start, end=stop, source="interpolated"))
    return words


def passages_to_align(
    passages: Sequence[Passage],
) -> Iterator[tuple[Span, tuple[Passage, ...]]]:
    """Find what lacks times of words.

    Parameters
    ----------
    passages : sequence of Passage
        In time order.

    Yields
    ------
    span : (start, end)
        Inside which the words lie.
    passages : tuple of Passage
        What is said there, in order: one subtitle, its speakers, or a whole plain text.
    """
    for (span, timed), group in groupby(passages, lambda p: (p.span, p.has_word_times)):
        members = tuple(group)
        if not timed and any(member.tokens for member in members):
            yield span, members


def align_passages(
    *, passages: Sequence[Passage], aligner: Aligner, spans: Sequence[Span] | None = None
) -> tuple[Passage, ...]:
    """Give every word times that has none.

    Parameters
    ----------
    passages : sequence of Passage
        In time order.
    aligner : callable
        Places the tokens of passages that share a span; :func:`spread_words` interpolates.
    spans : sequence of (start, end), optional
        Where to look for words instead of in a passage's span: where somebody speaks in the clip
        of a plain text.

    Returns
    -------
    tuple of Passage
        The same passages, all words with times.
    """
    placed: list[Passage] = []
    for (span, timed), group in groupby(passages, lambda p: (p.span, p.has_word_times)):
        members = list(group)
        tokens = [token for member in members for token in member.tokens]
        if not timed and tokens:
            words = iter(aligner(tokens, spans or [span]))
            members = [
                replace(member, words=tuple(next(words) for _ in member.tokens))
                for member in members
            ]
        placed += members
    return tuple(placed)


def speaker_changes(passages: Sequence[Passage]) -> tuple[Seconds, ...]:
    """Find when somebody else begins to speak, as far as a transcript tells.

    Parameters
    ----------
    passages : sequence of Passage
        In time order, with times of words.

    Returns
    -------
    tuple of Seconds
        Starts of the first words of new speakers, in time order.
    """
    changes = []
    speaker: str | None = None
    spoken = [passage for passage in passages if passage.words]
    for number, passage in enumerate(spoken):
        other = passage.speaker is not None and passage.speaker != speaker
        if number > 0 and (other or (passage.is_turn and passage.speaker is None)):
            changes.append(min(word.start for word in passage.words))
        if other or passage.is_turn:
            speaker = passage.speaker
    return tuple(sorted(changes))


def _last_at_most(values: Sequence[float], wanted: float) -> int:
    index = bisect_left(values, wanted)
    return index if index < len(values) and values[index] == wanted else index - 1
