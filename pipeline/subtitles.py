"""SubRip (``.srt``) and WebVTT (``.vtt``) subtitles."""

import re

from extractors.sequence import Seconds
from extractors.words import TIME_SOURCES
from pipeline.cue_text import Mark, mark_character, without_private
from pipeline.cues import Cue, passages_of_cues
from pipeline.passages import Passage
from pipeline.repair_log import RepairLog

_NEWLINE = re.compile(r"\r\n|\r|\n")
_ARROW = re.compile(r"^\s*(?P<start>-?\d[\d:.,]*)\s*-->\s*(?P<end>-?\d[\d:.,]*)(?:\s.*)?$")
_CLOCK = re.compile(r"^(?P<sign>-?)(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)[.,](\d{1,3})$", re.ASCII)
_NUMBER = re.compile(r"\s*\d+\s*")
_HIDDEN = re.compile(r"\s*(?:NOTE|STYLE|REGION)(?:\s|$)")
# A time inside a line, a span of class, or both: what stands behind it is said from then on.
_TAG = re.compile(r"<(?P<time>\d[\d:.]*)>(?:<c(?P<timed>\.[^\s<>]*)?>)?|<c(?P<plain>\.[^\s<>]*)>")
_CONFIDENCE = re.compile(r"confidence-(0\d{3}|1000)")


def read_subtitles(*, text: str, duration: Seconds, log: RepairLog) -> tuple[Passage, ...]:
    """Read SubRip or WebVTT; a first line ``WEBVTT`` tells, whatever the file's name.

    Subtitles need no blank line between them. Times inside a WebVTT line, as in
    ``<00:00:01.500><c>word</c>``, are times of words.

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
        If a time cannot be read, a subtitle ends before it begins, or one begins after the clip;
        with its line.
    """
    lines = _NEWLINE.split(text)
    is_vtt = lines[0].startswith("WEBVTT")
    arrows = [number for number, line in enumerate(lines) if "-->" in line]
    if not arrows and text.strip():
        raise log.refuse(
            "no line of the file holds a span of time such as '00:01:02,500 --> 00:01:04,000'; "
            "plain text belongs into a .txt file",
            1,
        )
    head = lines[: arrows[0]] if arrows and not is_vtt else []
    for number, line in enumerate(head, start=1):
        if line.strip() and not _NUMBER.fullmatch(line):
            log.note("lost_text", "text before the first subtitle was left out", number)
    is_numbered = bool(arrows and arrows[0] and _NUMBER.fullmatch(lines[arrows[0] - 1]))
    cues = []
    for arrow, after in zip(arrows, [*arrows[1:], len(lines)], strict=True):
        start, end = _span(lines[arrow], arrow + 1, log)
        body = _body(lines[arrow + 1 : after], is_vtt, is_numbered and after < len(lines))
        if is_vtt:
            _note_lost(lines, arrow + 1 + len(body), after, log)
        cues.append(_cue(start, end, body, arrow + 1))
    return passages_of_cues(cues=cues, duration=duration, log=log)


def _span(line: str, number: int, log: RepairLog) -> tuple[Seconds, Seconds]:
    match = _ARROW.match(line)
    times = [_seconds(match[name]) for name in ("start", "end")] if match else [None, None]
    start, end = times
    if start is None or end is None:
        raise log.refuse(
            f"{line.strip()!r} is not a span of time such as '00:01:02,500 --> 00:01:04,000'",
            number,
        )
    return start, end


def _seconds(clock: str) -> Seconds | None:
    match = _CLOCK.match(clock)
    if match is None:
        return None
    sign, hours, minutes, seconds, fraction = match.groups()
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    value = (whole * 1000 + int(fraction.ljust(3, "0"))) / 1000
    return -value if sign else value


def _body(lines: list[str], is_vtt: bool, has_number: bool) -> list[str]:
    """Take the lines of a subtitle up to the next one's number or name.

    WebVTT ends it at an empty line. SubRip's text may hold blank lines.
    """
    if is_vtt:
        blank = next((i for i, line in enumerate(lines) if line == ""), len(lines))
        if blank < len(lines):
            return lines[:blank]
    body = list(lines)
    if has_number and body and _NUMBER.fullmatch(body[-1]):
        body.pop()
    while body and not body[-1].strip():
        body.pop()
    return body


def _note_lost(lines: list[str], first: int, after: int, log: RepairLog) -> None:
    """Write down WebVTT text that belongs to no subtitle; names of subtitles are none."""
    block: list[int] = []
    for number in range(first, after):
        if lines[number].strip():
            block.append(number)
            continue
        _note_block(lines, block, log)
        block = []
    if after == len(lines):
        _note_block(lines, block, log)


def _note_block(lines: list[str], block: list[int], log: RepairLog) -> None:
    if block and not _HIDDEN.match(lines[block[0]]):
        log.note("lost_text", "text that belongs to no subtitle was left out", block[0] + 1)


def _cue(start: Seconds, end: Seconds, body: list[str], line: int) -> Cue:
    marks: list[Mark] = []

    def mark(match: re.Match[str]) -> str:
        time = _seconds(match["time"]) if match["time"] else None
        classes = (match["timed"] or match["plain"] or "").split(".")
        source = next((name for name in TIME_SOURCES if name in classes), None)
        if time is None and source is None:
            return ""
        told = next((m for name in classes if (m := _CONFIDENCE.fullmatch(name))), None)
        marks.append(Mark(time, source, int(told[1]) / 1000 if told else None))
        return mark_character(len(marks) - 1)

    text = _TAG.sub(mark, without_private("\n".join(body)))
    return Cue(start, end, text, line, tuple(marks))
