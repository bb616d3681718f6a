"""A spoken word with its place in time."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from extractors.sequence import Seconds

TimeSource = Literal["subtitle", "aligned", "recognised", "interpolated", "given"]
#: Where the times of a word can be from; see :class:`Word`.
TIME_SOURCES: tuple[TimeSource, ...] = get_args(TimeSource)


# slots: a talk of an hour has ten thousand words
@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """One word of a transcript.

    Parameters
    ----------
    text : str
        The word as written, punctuation included, not empty.
    start, end : Seconds
        Span ``[start, end)`` from the start of the clip, ``0 <= start <= end``.
    confidence : float or None
        How sure its place in time is, 0 to 1; None if nobody said.
    source : str
        Where its times are from: ``subtitle`` if a subtitle file times the word itself,
        ``aligned`` if the sound was searched for a known word, ``recognised`` if a recogniser
        heard it there, ``interpolated`` if words share a span by their length, ``given`` if
        somebody else says so: an annotation, or the caller.

    Raises
    ------
    ValueError
        If the text is blank, the span negative, reversed or not finite, the confidence out of
        range or the source unknown.
    """

    text: str
    start: Seconds
    end: Seconds
    confidence: float | None = None
    source: TimeSource = "given"

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError(f"word at {self.start} s: the text is blank")
        finite = math.isfinite(self.start) and math.isfinite(self.end)
        if not finite or not 0 <= self.start <= self.end:
            raise ValueError(
                f"word {self.text!r}: span [{self.start}, {self.end}) s must be finite, "
                "not negative and not reversed"
            )
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise ValueError(f"word {self.text!r}: confidence {self.confidence} is outside [0, 1]")
        if self.source not in TIME_SOURCES:
            raise ValueError(
                f"word {self.text!r}: source {self.source!r} is not one of "
                f"{', '.join(TIME_SOURCES)}"
            )
