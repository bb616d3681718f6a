"""Utterances: cut at pauses, changes of the speaker and sentence ends."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar, NamedTuple

from extractors.sequence import Seconds
from extractors.words import Word
from pipeline.errors import ConfigError

Span = tuple[Seconds, Seconds]
_SENTENCE_END = (".", "?", "!", "…", "。", "？", "！")
_CLOSING = "\"'”’)]»」』"
# A sentence ends in "so did I." more often than somebody is called I. by his initial alone.
_ABBREVIATION = re.compile(
    r"\W*(?!i\.$)(?:(?:[^\W\d_]\.)+|(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc)\.)", re.IGNORECASE
)
# Two utterances are told apart by their spans in milliseconds.
_APART: Seconds = 0.01


@dataclass(frozen=True, kw_only=True)
class SegmentConfig:
    """Where an utterance ends.

    Parameters
    ----------
    pause : Seconds
        A silence between words of at least this ends an utterance, > 0.
    longest : Seconds
        No utterance that is cut here lasts longer, unless it is a single word or its words begin
        within 10 ms; > 0.
    shortest : Seconds
        A sentence that is shorter is joined to its neighbours, as far as no pause and no change
        of the speaker is between them and the whole does not become too long; 0 <= ``shortest`` <
        ``longest``.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    pause: Seconds = 0.8
    longest: Seconds = 15.0
    shortest: Seconds = 1.0

    def __post_init__(self) -> None:
        if self.pause <= 0 or self.longest <= 0:
            raise ConfigError(
                f"segments: pause {self.pause} s and longest {self.longest} s must be positive"
            )
        if not 0 <= self.shortest < self.longest:
            raise ConfigError(
                f"segments: shortest {self.shortest} s must be at least 0 and less than longest, "
                f"{self.longest} s"
            )


def segment_words(
    *, words: Sequence[Word], config: SegmentConfig, barriers: Sequence[Seconds] = ()
) -> list[list[Word]]:
    """Cut a transcript into utterances.

    Pauses and barriers always cut. Between them those cuts are made that break the fewest
    sentences; of these the ones that leave the fewest utterances too short; of these the ones
    that join the fewest sentences. A sentence that is too long is cut where its words are
    furthest apart, and otherwise evenly.

    Parameters
    ----------
    words : sequence of Word
        In time order.
    config : SegmentConfig
        Where an utterance ends.
    barriers : sequence of Seconds, optional
        Times across which no utterance goes, such as shots of another speaker. A word belongs
        where its middle is.

    Returns
    -------
    list of list of Word
        No word is lost, none stands twice.
    """
    text = _Text(words=words, config=config, barriers=sorted(barriers))
    costs: list[_Cost | None] = [_Cost(), *([None] * len(words))]
    begins = [0] * (len(words) + 1)
    for first in range(len(words)):
        before = costs[first]
        if before is None:
            continue
        for after, cost in text.utterances(first):
            total, known = before.plus(cost), costs[after]
            if known is None or total < known:
                costs[after], begins[after] = total, first
    edges = [len(words)]
    while edges[-1] > 0:
        edges.append(begins[edges[-1]])
    return [list(words[first:after]) for first, after in pairwise(reversed(edges))]


def utterance_span(*, words: Sequence[Word], barriers: Sequence[Seconds] = ()) -> Span:
    """Find when an utterance is said.

    Parameters
    ----------
    words : sequence of Word
        Of one utterance, as from :func:`segment_words`; at least one.
    barriers : sequence of Seconds, optional
        As given there; what is said across one is cut there.

    Returns
    -------
    start, end : Seconds
        From the first word's start to the last sound's end.
    """
    inside = max(_middle(word) for word in words)
    ordered = sorted(barriers)
    number = bisect_right(ordered, inside)
    start = max([words[0].start, *ordered[:number][-1:]])
    return start, min([max(word.end for word in words), *ordered[number:][:1]])


def segment_speech(
    *,
    spans: Sequence[Span],
    duration: Seconds,
    config: SegmentConfig,
    barriers: Sequence[Seconds] = (),
) -> list[Span]:
    """Cut a clip without words: at pauses of its speech, or evenly if it has none.

    Parameters
    ----------
    spans : sequence of (start, end)
        Speech, in time order.
    duration : Seconds
        The clip's length.
    config : SegmentConfig
        Where an utterance ends.
    barriers : sequence of Seconds, optional
        Times across which no utterance goes.

    Returns
    -------
    list of (start, end)
        Each at most ``config.longest`` long.
    """
    joined: list[Span] = []
    for start, end in spans or [(0.0, duration)]:
        if joined and start - joined[-1][1] < config.pause:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return [
        piece
        for start, end in joined
        for part in pairwise([start, *(b for b in sorted(set(barriers)) if start < b < end), end])
        for piece in _cut(part, config.longest)
    ]


class _Cost(NamedTuple):
    """What is bad about utterances, the worst first."""

    broken_sentences: int = 0
    too_short: int = 0
    joined_sentences: int = 0
    #: Silence inside joined sentences, less that between the parts of broken ones.
    silence: Seconds = 0.0
    unevenness: float = 0.0

    def plus(self, other: "_Cost") -> "_Cost":
        return _Cost(
            self.broken_sentences + other.broken_sentences,
            self.too_short + other.too_short,
            self.joined_sentences + other.joined_sentences,
            self.silence + other.silence,
            self.unevenness + other.unevenness,
        )


class _Text:
    """Words, and where they may be cut."""

    def __init__(
        self, *, words: Sequence[Word], config: SegmentConfig, barriers: Sequence[Seconds]
    ) -> None:
        self._words, self._config = words, config
        heard = list(accumulate((word.end for word in words), max))
        middles = accumulate((_middle(word) for word in words), max)
        sides = [bisect_right(barriers, middle) for middle in middles]
        self._gaps = [0.0, *(b.start - end for b, end in zip(words[1:], heard, strict=False))]
        self._must_cut = [
            gap >= config.pause or side != before
            for gap, side, before in zip(self._gaps, sides, [*sides[:1], *sides], strict=False)
        ]
        self._ends = [_ends_sentence(word.text) for word in words]

    def utterances(self, first: int) -> Iterator[tuple[int, _Cost]]:
        """Find the utterances that may begin at a word, each with the index after its last."""
        words, config = self._words, self._config
        end, joined, silence = words[first].end, 0, 0.0
        for after in range(first + 1, len(words) + 1):
            length = end - words[first].start
            is_last = after == len(words)
            if is_last or words[after].start - words[first].start >= _APART:
                yield after, self._cost(after, length, joined, silence)
                if is_last or self._must_cut[after]:
                    return
                if max(end, words[after].end) - words[first].start > config.longest:
                    return
            if self._ends[after - 1]:
                joined, silence = joined + 1, silence + max(0.0, self._gaps[after])
            end = max(end, words[after].end)

    def _cost(self, after: int, length: Seconds, joined: int, silence: Seconds) -> _Cost:
        is_broken = (
            after < len(self._words) and not self._must_cut[after] and not self._ends[after - 1]
        )
        between = self._gaps[after] if is_broken else 0.0
        return _Cost(
            int(is_broken),
            int(length < self._config.shortest),
            joined,
            # Words that were placed by calculation lie apart by less than counts.
            round(silence - max(0.0, between), 3),
            length**2,
        )


def _middle(word: Word) -> Seconds:
    return (word.start + word.end) / 2


def _ends_sentence(text: str) -> bool:
    said = text.rstrip(_CLOSING)
    return said.endswith(_SENTENCE_END) and not _ABBREVIATION.fullmatch(said)


def _cut(span: Span, longest: Seconds) -> list[Span]:
    start, end = span
    pieces = max(1, -int(-(end - start) // longest))
    step = (end - start) / pieces
    return [(start + i * step, start + (i + 1) * step) for i in range(pieces)]
