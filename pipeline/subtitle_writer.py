"""WebVTT files with the times of words."""

import re
from collections.abc import Sequence
from pathlib import Path

from extractors.sequence import Seconds
from extractors.words import Word
from pipeline.atomic import write_text
from pipeline.errors import DataError

# As broadcasters do: two lines of 42 letters.
_LONGEST = 84
_PAUSE: Seconds = 0.8
# What a reader could take for markup, a speaker, a sound or a number written as HTML writes signs.
_SPECIAL = re.compile(r"[&<>\[\](){}*:♩♪♫♬［］【】（）\\»]|^[-–]")
# Not every player knows signs by their numbers.
_NAMES = {"&": "&amp;", "<": "&lt;"}
_SENTENCE_END = re.compile(r"[.?!…。？！][\"'”’)\]»]*$")


def write_vtt(path: Path, words: Sequence[Word]) -> None:
    """Write words as WebVTT, each with its times, their source and its confidence.

    Every word stands in a span whose classes say where its times are from and, in thousandths,
    how sure they are: ``<00:00:01.500><c.aligned.confidence-0870>word</c>``. Players show the
    text; :func:`pipeline.transcripts.load_transcript` reads the words again.

    Parameters
    ----------
    path : Path
        Where to; replaced atomically.
    words : sequence of Word
        In time order, without white space in them; times are written in milliseconds.

    Raises
    ------
    DataError
        If a word holds white space.
    """
    for word in words:
        if word.text.split() != [word.text]:
            raise DataError(
                f"{path}: the word {word.text!r} at {word.start} s holds white space; subtitles "
                "take one word after the other",
                code="bad_word",
            )
    cues = [_cue(group) for group in _groups(words)]
    write_text(path, "\n\n".join(["WEBVTT", *cues]) + "\n")


def _groups(words: Sequence[Word]) -> list[list[Word]]:
    """Part words into subtitles: at sentence ends, pauses, and where they overlap."""
    groups: list[list[Word]] = []
    for word in words:
        last = groups[-1] if groups else []
        if (
            not last
            or _SENTENCE_END.search(last[-1].text)
            or not 0 <= _ms(word.start) - _ms(last[-1].end) < _PAUSE * 1000
            or sum(len(said.text) + 1 for said in last) + len(word.text) > _LONGEST
        ):
            groups.append([word])
        else:
            last.append(word)
    return groups


def _cue(words: Sequence[Word]) -> str:
    start, end = _ms(words[0].start), _ms(words[-1].end)
    # No player shows a subtitle of no length; its word keeps its own end.
    shown = max(end, start + 1)
    starts = [_ms(word.start) for word in words]
    parts: list[str] = []
    for word, begin, after in zip(words, starts, [*starts[1:], shown], strict=True):
        opening = f"<{clock_text(begin)}>" if parts else ""
        closing = f"<{clock_text(_ms(word.end))}>" if _ms(word.end) != after else ""
        parts.append(f"{opening}{_tagged(word)}{closing}")
    return f"{clock_text(start)} --> {clock_text(shown)}\n{' '.join(parts)}"


def _tagged(word: Word) -> str:
    sure = "" if word.confidence is None else f".confidence-{round(word.confidence * 1000):04d}"
    text = _SPECIAL.sub(lambda m: _NAMES.get(m[0], f"&#{ord(m[0])};"), word.text)
    return f"<c.{word.source}{sure}>{text}</c>"


def clock_text(milliseconds: int) -> str:
    """Write a time as WebVTT does.

    Parameters
    ----------
    milliseconds : int
        From the start, >= 0.

    Returns
    -------
    str
        ``hh:mm:ss.fff``.
    """
    seconds, fraction = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{fraction:03d}"


def _ms(seconds: Seconds) -> int:
    return round(seconds * 1000)
