"""Plain text as a transcript: speakers and times that people write into it, and the words."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from extractors.sequence import Seconds
from pipeline.cue_text import read_cue_text, without_private
from pipeline.passages import Passage
from pipeline.repair_log import RepairLog

_OTHER_FORMAT = re.compile(r"\s*(?:<!doctype|<html|<\?xml|\{\\rtf|%pdf)", re.IGNORECASE)
_CLOCK = r"\d{1,3}(?::[0-5]\d){1,2}(?:[.,]\d+)?"
_CLOCK_LINE = re.compile(rf"\s*\[?\(?{_CLOCK}\)?\]?\s*")
_LEADING_CLOCK = re.compile(rf"\s*{_CLOCK}\s+(?=\S)")
_NAME = r"\s*(?P<name>[^\W\d_a-z][^:\[\](){}<>\t]{0,40}?)"
# "Speaker 1  0:05" and "Ann Lee (00:05): Well": a time in brackets, or well apart from the name,
# so that "We met at 5:30" stays as it is.
_SPEAKER = re.compile(
    rf"{_NAME}\s*[\[(]{_CLOCK}[\])]\s*(?::\s*(?P<said>.*))?"
    rf"|{_NAME.replace('name', 'apart')}(?:\s*\t\s*|\s{{2,}}){_CLOCK}\s*"
)


class _Line(NamedTuple):
    """A line without its time.

    Attributes
    ----------
    number : int
        From 1.
    text : str
        What is said.
    speaker : str or None
        Who says it, if that stood beside the time.
    """

    number: int
    text: str
    speaker: str | None = None


def read_plain_text(*, text: str, duration: Seconds, log: RepairLog) -> tuple[Passage, ...]:
    """Read plain text.

    Names of speakers are taken from the words, and so are times: those alone in a line, beside a
    speaker's name, and those that most lines begin with. They are not used, for nobody knows how
    exact they are.

    Parameters
    ----------
    text : str
        The whole file.
    duration : Seconds
        The clip's length.
    log : RepairLog
        Told of the times that were left out.

    Returns
    -------
    tuple of Passage
        All of them span the clip; their words have no times.

    Raises
    ------
    SourceError
        ``bad_transcript`` if it is a text of another kind, with its line.
    """
    if found := _OTHER_FORMAT.match(text):
        raise log.refuse(f"begins with {found[0].strip()!r}; save it as plain text", 1)
    passages = []
    speaker: str | None = None
    for line in _lines(re.split(r"\r\n|\r|\n", text), log):
        read = read_cue_text(
            text=without_private(line.text), speaker=line.speaker or speaker, is_markup=False
        )
        for index, turn in enumerate(read.turns):
            tokens = tuple(token.text for token in read.tokens if token.turn == index)
            if tokens or turn.events:
                passages.append(
                    Passage(
                        start=0.0,
                        end=duration,
                        tokens=tokens,
                        speaker=turn.speaker,
                        is_turn=turn.is_new,
                        events=tuple(turn.events),
                        line=line.number,
                    )
                )
        speaker = read.turns[-1].speaker
    return tuple(passages)


def _lines(lines: Sequence[str], log: RepairLog) -> Iterator[_Line]:
    written = sum(not line.isspace() and line != "" for line in lines)
    timed = sum(_LEADING_CLOCK.match(line) is not None for line in lines)
    for number, line in enumerate(lines, start=1):
        if "-->" in line:
            raise log.refuse("holds '-->': subtitles belong into a .srt or .vtt file", number)
        if _CLOCK_LINE.fullmatch(line):
            log.note("lost_text", "a time alone in its line was left out", number)
        elif found := _SPEAKER.fullmatch(line):
            log.note("lost_text", "a time beside a speaker's name was left out", number)
            yield _Line(number, found["said"] or "", found["name"] or found["apart"])
        elif 1 < timed > written / 2 and (clock := _LEADING_CLOCK.match(line)):
            log.note("lost_text", "a time before what is said was left out", number)
            yield _Line(number, line[clock.end() :])
        else:
            yield _Line(number, line)
