"""Utterances: as the label file gives them, or cut at sentence ends, pauses and speech."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from extractors.sequence import Seconds
from extractors.words import Word
from pipeline.errors import ConfigError

Span = tuple[Seconds, Seconds]
_SENTENCE_END = (".", "?", "!", "…", "。", "？", "！")
_CLOSING = "\"'”’)]»"
# Two utterances are told apart by their spans in milliseconds.
_SHORTEST: Seconds = 0.01


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
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    pause: Seconds = 0.8
    longest: Seconds = 15.0

    def __post_init__(self) -> None:
        if self.pause <= 0 or self.longest <= 0:
            raise ConfigError(
                f"segments: pause {self.pause} s and longest {self.longest} s must be positive"
            )


def segment_words(*, words: Sequence[Word], config: SegmentConfig) -> list[list[Word]]:
    """Cut a transcript into utterances.

    Parameters
    ----------
    words : sequence of Word
        In time order.
    config : SegmentConfig
        Where an utterance ends.

    Returns
    -------
    list of list of Word
        No word is lost, none stands twice.
    """
    utterances: list[list[Word]] = []
    for word in words:
        if utterances and not _ends_before(utterances[-1], word, config):
            utterances[-1].append(word)
        else:
            utterances.append([word])
    return utterances


def segment_speech(
    *, spans: Sequence[Span], duration: Seconds, config: SegmentConfig
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
    return [piece for span in joined for piece in _cut(span, config.longest)]


def _ends_before(utterance: list[Word], word: Word, config: SegmentConfig) -> bool:
    last = utterance[-1]
    if word.start - utterance[0].start < _SHORTEST:
        return False
    return (
        last.text.rstrip(_CLOSING).endswith(_SENTENCE_END)
        or word.start - max(w.end for w in utterance) >= config.pause
        or word.end - utterance[0].start > config.longest
    )


def _cut(span: Span, longest: Seconds) -> list[Span]:
    start, end = span
    pieces = max(1, -int(-(end - start) // longest))
    step = (end - start) / pieces
    return [(start + i * step, start + (i + 1) * step) for i in range(pieces)]
