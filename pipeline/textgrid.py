"""Praat TextGrids, in the long and the short form."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from extractors.sequence import Seconds
from pipeline.annotation import Interval, passages_of_intervals
from pipeline.cues import Cue, passages_of_cues
from pipeline.passages import Passage
from pipeline.repair_log import RepairLog

# Praat reads texts in quotes, flags, and numbers that stand alone; all else is for people.
_VALUE = re.compile(
    r"""
    "(?P<text>(?:[^"]|"")*)"
    | <(?P<flag>exists|absent)>
    | (?<![^\s])(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|--undefined--)(?![^\s%])
    | (?P<comment>![^\n]*)
    | (?P<newline>\n)
    """,
    re.VERBOSE,
)
# By name: what Praat's users, MAUS, the Montreal Forced Aligner and P2FA call words.
_WORDS = re.compile(r"(?:(?P<speaker>.+?)\s*[-_:/]\s*)?(?:words?|tokens?|ort|ort-mau|mots?)", re.I)


class _Value(NamedTuple):
    """A text, number or flag with its line; numbers keep their spelling."""

    kind: str
    value: str
    line: int


class _Tier(NamedTuple):
    name: str
    line: int
    intervals: list[Interval]


def read_textgrid(*, text: str, duration: Seconds, log: RepairLog) -> tuple[Passage, ...]:
    """Read the words of a TextGrid.

    Taken are the interval tiers called ``words`` (or ``word``, ``tokens``, ``ORT``, ``ORT-MAU``),
    also with a speaker's name as in ``Ann - words``; or else the only interval tier. Of a tier
    whose intervals mostly hold several words only the intervals have times.

    Parameters
    ----------
    text : str
        The file's content.
    duration : Seconds
        The clip's length.
    log : RepairLog
        Told of repairs.

    Returns
    -------
    tuple of Passage
        In time order.

    Raises
    ------
    SourceError
        If the file is cut off or no TextGrid, if its tiers leave the choice open, or a time cannot
        be; with the line.
    """
    reader = _Reader(text.replace("\r\n", "\n").replace("\r", "\n"), log)
    tiers = [tier for tier in reader.tiers() if tier.intervals]
    passages: list[Passage] = []
    for tier in _chosen(tiers, log):
        named = _WORDS.fullmatch(tier.name.strip())
        speaker = named["speaker"] if named else None
        passages += _passages(tier, speaker, duration, log)
    return tuple(sorted(passages, key=lambda passage: passage.span))


def _chosen(tiers: list[_Tier], log: RepairLog) -> list[_Tier]:
    named = [tier for tier in tiers if _WORDS.fullmatch(tier.name.strip())]
    if named or len(tiers) <= 1:
        return named or tiers
    names = ", ".join(repr(tier.name) for tier in tiers)
    raise log.refuse(
        f"of the interval tiers {names} none is called 'words'; rename the one that holds them",
        tiers[0].line,
    )


def _passages(
    tier: _Tier, speaker: str | None, duration: Seconds, log: RepairLog
) -> tuple[Passage, ...]:
    spoken = [interval for interval in tier.intervals if not interval.is_pause]
    if 2 * sum(len(interval.text.split()) > 1 for interval in spoken) <= len(spoken):
        return passages_of_intervals(
            intervals=tier.intervals, duration=duration, log=log, speaker=speaker
        )
    cues = [
        Cue(interval.start, interval.end, interval.text, interval.line, (), speaker)
        for interval in spoken
    ]
    return passages_of_cues(cues=cues, duration=duration, log=log, is_markup=False)


class _Reader:
    """Reads one value after the other, and says where one is missing."""

    def __init__(self, text: str, log: RepairLog) -> None:
        self._log = log
        self._line = 1
        self._values = self._scan(text)
        if text.startswith("ooBinaryFile"):
            raise log.refuse("is a binary TextGrid; save it as a text file in Praat", 1)

    def _scan(self, text: str) -> Iterator[_Value]:
        line = 1
        for match in _VALUE.finditer(text):
            kind = match.lastgroup or ""
            if kind == "text":
                yield _Value(kind, match["text"].replace('""', '"'), line)
            elif kind in ("number", "flag"):
                yield _Value(kind, match[kind], line)
            line += match[0].count("\n")
        self._line = line

    def _take(self, kind: str, wanted: str) -> _Value:
        value = next(self._values, None)
        if value is None:
            raise self._log.refuse(f"the file ends where {wanted} is expected", self._line)
        self._line = value.line
        if value.kind != kind:
            raise self._log.refuse(f"{value.value!r} stands where {wanted} is expected", value.line)
        return value

    def _number(self, wanted: str) -> float:
        value = self._take("number", wanted)
        if value.value == "--undefined--":
            raise self._log.refuse(f"{wanted} is undefined", value.line)
        number = float(value.value)
        if not math.isfinite(number):
            raise self._log.refuse(f"{wanted} is {value.value}, too large a number", value.line)
        return number

    def _skip(self, *wanted: str) -> None:
        for each in wanted:
            self._take("number", each)

    def _count(self, wanted: str) -> int:
        number = self._number(wanted)
        if number < 0 or number != int(number):
            raise self._log.refuse(f"{wanted} is {number}, not a whole number", self._line)
        return int(number)

    def tiers(self) -> Iterator[_Tier]:
        """Read all interval tiers; points in time hold no words."""
        for wanted in ("ooTextFile", "TextGrid"):
            # Very old files name the class alone.
            found = self._take("text", f'"{wanted}"')
            if found.value not in (wanted, "TextGrid"):
                raise self._log.refuse(f"{found.value!r} stands where {wanted!r} is", found.line)
            if found.value == "TextGrid":
                break
        self._skip("the beginning of time", "the end of time")
        if self._take("flag", "<exists>").value == "absent":
            return
        for _ in range(self._count("the number of tiers")):
            kind = self._take("text", "a tier's class")
            name = self._take("text", "a tier's name")
            self._skip("a tier's beginning", "a tier's end")
            size = self._count("the size of a tier")
            if kind.value == "IntervalTier":
                yield _Tier(name.value, name.line, [self._interval() for _ in range(size)])
            elif kind.value == "TextTier":
                for _ in range(size):
                    self._skip("a point's time")
                    self._take("text", "a point's mark")
            else:
                raise self._log.refuse(f"{kind.value!r} is no class of tiers", kind.line)

    def _interval(self) -> Interval:
        start = self._number("an interval's beginning")
        line = self._line
        end = self._number("an interval's end")
        text = self._take("text", "an interval's text")
        return Interval(start, end, text.value, line)
