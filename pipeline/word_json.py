"""Transcripts in JSON: YouTube's ``json3``, and what Whisper and WhisperX write."""

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from extractors.sequence import Seconds
from extractors.words import TimeSource
from pipeline.cue_text import Mark, mark_character, without_private
from pipeline.cues import Cue, passages_of_cues
from pipeline.errors import SourceError
from pipeline.passages import Passage
from pipeline.repair_log import RepairLog

#: Key of the list that makes a file a transcript.
KINDS = ("events", "segments")
# Times beyond this, also in milliseconds, are none; floats still tell these apart.
_LONGEST = 1e12
_BETWEEN = re.compile(r"[\s,]*")
# How sure Whisper, WhisperX and their relatives are of a word.
_CONFIDENCES: tuple[tuple[str, TimeSource], ...] = (
    ("score", "aligned"),
    ("probability", "recognised"),
    ("confidence", "recognised"),
)


def read_word_json(*, text: str, duration: Seconds, log: RepairLog) -> tuple[Passage, ...]:
    """Read a transcript in JSON.

    Times of words are from the ``subtitle`` in ``json3``, ``aligned`` where words have a ``score``
    as WhisperX writes it, and otherwise ``recognised``.

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
        If the file is not such a transcript, or a time is no number or goes back; with the line.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        told = f"is not JSON ({getattr(error, 'msg', error)})"
        raise log.refuse(told, getattr(error, "lineno", 1)) from error
    kind = next((k for k in KINDS if isinstance(content, dict) and _is_list(content.get(k))), None)
    if kind is None:
        raise log.refuse(
            "holds neither YouTube's 'events' nor Whisper's 'segments', each a list; is it a "
            "transcript?",
            1,
        )
    lines = _lines_of(text, kind, len(content[kind]))
    items = [_Item(item, log, line) for item, line in zip(content[kind], lines, strict=True)]
    cues = _events(items) if kind == "events" else [_segment(item, log) for item in items]
    return passages_of_cues(cues=cues, duration=duration, log=log, is_markup=False)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _lines_of(text: str, key: str, count: int) -> list[int]:
    """Find the line where each member of a list begins, in text that is known to be JSON."""
    for opening in re.finditer(rf'"{key}"\s*:\s*\[', text):
        starts = list(_starts(text, opening.end()))
        if len(starts) == count:
            ends = [text.count("\n", a, b) for a, b in pairwise([0, *starts])]
            return [1 + before for before in accumulate(ends)]
    return [1] * count


def _starts(text: str, at: int) -> Iterator[int]:
    """Follow the members of a list; the same words inside a string lead nowhere."""
    decoder = json.JSONDecoder()
    while (begin := _BETWEEN.match(text, at)) is not None:
        try:
            _, at = decoder.raw_decode(text, begin.end())
        except json.JSONDecodeError:
            return
        yield begin.end()


class _Item:
    """A member of a list, whose values are asked for with a complaint at hand."""

    def __init__(self, value: Any, log: RepairLog, line: int) -> None:
        self._log, self.line = log, line
        if not isinstance(value, dict):
            raise self.wrong(f"{value!r} is not an object in braces")
        self._value: Mapping[str, Any] = value

    def wrong(self, what: str) -> SourceError:
        return self._log.refuse(what, self.line)

    def number(self, key: str) -> float | None:
        value = self._value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(f"{key!r} is {value!r}, not a number")
        if not abs(value) < _LONGEST:
            raise self.wrong(f"{key!r} is {value}, not a time")
        return float(value)

    def share(self, key: str) -> float | None:
        value = self._value.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if 0 <= value <= 1 else None

    def required(self, key: str) -> float:
        value = self.number(key)
        if value is None:
            raise self.wrong(f"has no {key!r}; there is {', '.join(self._value) or 'nothing'}")
        return value

    def string(self, *keys: str) -> str:
        value = next((self._value[key] for key in keys if self._value.get(key) is not None), "")
        if not isinstance(value, str):
            raise self.wrong(f"{keys[0]!r} is {value!r}, not a text")
        return without_private(value)

    def members(self, key: str) -> "list[_Item]":
        value = self._value.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(f"{key!r} is {value!r}, not a list")
        return [_Item(member, self._log, self.line) for member in value]


def _events(items: Sequence[_Item]) -> list[Cue]:
    """Make a cue of every event; a line of automatic ones stays on while the next is said."""
    parts = [item.members("segs") for item in items]
    has_words = any(part.number("tOffsetMs") is not None for segs in parts for part in segs)
    cues = [
        _event(item, segs, has_words)
        for item, segs in zip(items, parts, strict=True)
        # Those without text say where on the screen the others stand.
        if any(part.string("utf8").strip() for part in segs)
    ]
    starts = sorted(cue.start for cue in cues)
    return [_until_next(cue, starts) for cue in cues] if has_words else cues


def _event(item: _Item, parts: Sequence[_Item], has_words: bool) -> Cue:
    start = item.required("tStartMs") / 1000
    end = start + (item.number("dDurationMs") or 0.0) / 1000
    text, marks = "", list[Mark]()
    for part in parts:
        said = part.string("utf8")
        if has_words and said.strip():
            text += mark_character(len(marks))
            marks.append(Mark(start + (part.number("tOffsetMs") or 0.0) / 1000, "subtitle"))
        text += said
    return Cue(start, end, text, item.line, tuple(marks))


def _until_next(cue: Cue, starts: Sequence[Seconds]) -> Cue:
    after = bisect_right(starts, cue.start)
    last = max(mark.time or 0.0 for mark in cue.marks)
    following = starts[after] if after < len(starts) else cue.end
    return cue._replace(end=max(last, min(cue.end, following)))


def _segment(item: _Item, log: RepairLog) -> Cue:
    words = [word for word in item.members("words") if word.string("word", "text").strip()]
    text, marks = "" if words else item.string("text"), list[Mark]()
    for word, (start, end) in zip(words, _word_spans(words, log), strict=True):
        text += mark_character(len(marks)) + " " + word.string("word", "text")
        marks.append(_mark(word, start))
        if end is not None:
            text += mark_character(len(marks))
            # What follows begins here unless it says another time.
            marks.append(Mark(end, "interpolated"))
    times = [mark.time for mark in marks if mark.time is not None]
    start = item.number("start") if times else item.required("start")
    end = item.number("end") if times else item.required("end")
    return Cue(
        min([*times[:1], *_known(start)]),
        max([*times, *_known(end)]),
        text,
        item.line,
        tuple(marks),
        item.string("speaker").strip() or None,
    )


def _known(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _word_spans(
    words: Sequence[_Item], log: RepairLog
) -> list[tuple[Seconds | None, Seconds | None]]:
    """Read words' times; an end behind the next word's start is moved there."""
    spans: list[tuple[Seconds | None, Seconds | None]] = []
    latest = -math.inf
    for word in words:
        start, end = word.number("start"), word.number("end")
        said = word.string("word", "text").strip()
        if start is not None and end is not None and end < start:
            raise word.wrong(f"the word {said!r} ends at {end} s before it begins at {start} s")
        if start is not None:
            if start < latest:
                raise word.wrong(
                    f"the word {said!r} begins at {start} s, before the word in front of it"
                )
            latest = start
            before = spans[-1][1] if spans else None
            if before is not None and start < before:
                log.note("overlap", "a word overlaps the next and ends there now", word.line)
                spans[-1] = (spans[-1][0], start)
        spans.append((start, end))
    return spans


def _mark(word: _Item, start: Seconds | None) -> Mark:
    if start is None:
        return Mark(None, "interpolated")
    for key, source in _CONFIDENCES:
        if (confidence := word.share(key)) is not None:
            return Mark(start, source, confidence)
    return Mark(start, "recognised")
