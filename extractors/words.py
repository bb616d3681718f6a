"""A spoken word with its place in time."""

import math
from dataclasses import dataclass

from extractors.sequence import Seconds


@dataclass(frozen=True, kw_only=True)
class Word:
    """One word of a transcript.

    Parameters
    ----------
    text : str
        The word as written, punctuation included, not empty.
    start, end : Seconds
        Span ``[start, end)`` from the start of the clip, ``0 <= start <= end``.

    Raises
    ------
    ValueError
        If the text is blank or the span is negative, reversed or not finite.
    """

    text: str
    start: Seconds
    end: Seconds

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError(f"word at {self.start} s: the text is blank")
        finite = math.isfinite(self.start) and math.isfinite(self.end)
        if not finite or not 0 <= self.start <= self.end:
            raise ValueError(
                f"word {self.text!r}: span [{self.start}, {self.end}) s must be finite, "
                "not negative and not reversed"
            )
