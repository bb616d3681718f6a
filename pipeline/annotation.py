"""Words that an annotation times one by one: passages between pauses."""

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from extractors.sequence import Seconds
from extractors.words import Word
from pipeline.cues import note_beyond, refuse_beyond
from pipeline.passages import Passage, spread_words
from pipeline.repair_log import RepairLog

#: How annotators and aligners write that nobody speaks.
PAUSES = frozenset({"", "sp", "sil", "#", "_", "<p:>", "<p>", "<eps>", "<sil>", "<s>", "</s>"})
_EVENT = re.compile(r"\{(.+)\}|\[(.+)\]|<(.+)>|\((.+)\)")


class Interval(NamedTuple):
    """A stretch of an annotation.

    Attributes
    ----------
    start, end : Seconds
        Its span.
    text : str
        What is written for it.
    line : int
        Where it stands in its file, from 1.
    """

    start: Seconds
    end: Seconds
    text: str
    line: int

    @property
    def is_pause(self) -> bool:
        """Whether nobody speaks."""
        return self.text.strip().lower() in PAUSES

    @property
    def event(self) -> str | None:
        """What is heard, if it is not said."""
        match = _EVENT.fullmatch(self.text.strip())
        return next(group for group in match.groups() if group) if match else None


def passages_of_intervals(
    *,
    intervals: Sequence[Interval],
    duration: Seconds,
    log: RepairLog,
    speaker: str | None = None,
) -> tuple[Passage, ...]:
    """Make passages of annotated words: what is said without a pause in between.

    Empty intervals and the likes of ``sp`` are pauses; ``{LG}``, ``[noise]`` and ``<unk>`` are
    events. Words out of order are sorted, those before the clip left out, and those that end
    after it cut there, which is recorded.

    Parameters
    ----------
    intervals : sequence of Interval
        In the file's order.
    duration : Seconds
        The clip's length.
    log : RepairLog
        Told of repairs.
    speaker : str, optional
        Who speaks.

    Returns
    -------
    tuple of Passage
        In time order. Words are ``given`` where an interval holds one, and ``interpolated`` where
        it holds several.

    Raises
    ------
    SourceError
        If an interval is reversed or no number, or a word begins after the clip; with its line.
    """
    kept = _in_order(intervals, duration, log)
    passages = []
    for is_pause, group in groupby(kept, lambda interval: interval.is_pause):
        members = list(group)
        if is_pause:
            continue
        words = [word for member in members for word in _words(member, duration)]
        passages.append(
            Passage(
                start=members[0].start,
                end=min(max(member.end for member in members), duration),
                tokens=tuple(word.text for word in words),
                words=tuple(words),
                speaker=speaker,
                events=tuple(member.event for member in members if member.event),
                line=members[0].line,
            )
        )
    return tuple(passages)


def _in_order(intervals: Sequence[Interval], duration: Seconds, log: RepairLog) -> list[Interval]:
    kept: list[Interval] = []
    for interval in intervals:
        start, end, text, line = interval
        if not start <= end:
            raise log.refuse(f"{text!r} ends at {end} s and begins at {start} s", line)
        if interval.is_pause:
            kept.append(interval)
            continue
        refuse_beyond(start, duration, log, line)
        note_beyond(end, duration, log, line)
        if start < 0:
            log.note("negative_time", "begins before the clip; cut there or left out", line)
        if end < 0 or start < 0 == end:
            continue
        if kept and start < kept[-1].start:
            log.note("unsorted", "begins before the word above it; sorted", line)
        kept.append(interval._replace(start=max(start, 0.0)))
    return sorted(kept, key=lambda interval: (interval.start, interval.end))


def _words(interval: Interval, duration: Seconds) -> list[Word]:
    if interval.event:
        return []
    said = interval.text.split()
    end = min(interval.end, duration)
    if len(said) > 1:
        return spread_words(said, [(interval.start, end)])
    return [Word(text=text, start=interval.start, end=end, source="given") for text in said]
