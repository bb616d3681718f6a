"""Transcripts beside clips: subtitles and plain text to words with times."""

import html
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from extractors.sequence import Seconds
from extractors.words import Word
from pipeline.errors import SourceError

#: Kinds of transcript, best first.
SUFFIXES = (".vtt", ".srt", ".txt")
Span = tuple[Seconds, Seconds]

_ARROW = re.compile(r"^\s*(?P<start>[\d:.,]+)\s+-->\s+(?P<end>[\d:.,]+)(?:\s.*)?$")
_CLOCK = re.compile(r"^(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})$", re.ASCII)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
# Styling tags, and the position codes that some editors write into SubRip.
_MARKUP = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")


class Cue(NamedTuple):
    """A subtitle.

    Attributes
    ----------
    start, end : Seconds
        When it is shown.
    text : str
        One line, without markup.
    line : int
        Where it stands in its file, from 1.
    """

    start: Seconds
    end: Seconds
    text: str
    line: int


def find_transcript(media: Path) -> Path | None:
    """Find the transcript beside a clip: same name, other suffix.

    Parameters
    ----------
    media : Path
        The clip.

    Returns
    -------
    Path or None
        The best of ``.vtt``, ``.srt`` and ``.txt`` that is there.
    """
    for suffix in SUFFIXES:
        for candidate in (media.with_suffix(suffix), media.with_suffix(suffix.upper())):
            if candidate.is_file():
                return candidate
    return None


def load_words(
    path: Path, *, duration: Seconds, speech: Callable[[], Sequence[Span]]
) -> tuple[Word, ...]:
    """Read a transcript as words with times.

    Subtitles give times to lines, and each line's words share its span by their length. Plain
    text has no times: its words share the clip's speech by their length.

    Parameters
    ----------
    path : Path
        A ``.srt``, ``.vtt`` or ``.txt`` file in UTF-8.
    duration : Seconds
        The clip's length.
    speech : callable
        Gives the spans of speech; called for plain text only.

    Returns
    -------
    tuple of Word
        In time order, inside the clip.

    Raises
    ------
    SourceError
        If the file cannot be read, holds no words, or does not fit the clip; with its line.
    """
    text = _read_text(path)
    if path.suffix.lower() == ".txt":
        spans = list(speech()) or [(0.0, duration)]
        words = spread_words(text.split(), spans)
    else:
        words = _words_of_cues(read_cues(path, text), path=path, duration=duration)
    if not words:
        raise SourceError(f"{path}: holds no words", code="empty_transcript")
    return tuple(words)


def read_cues(path: Path, text: str) -> list[Cue]:
    """Read SubRip or WebVTT.

    Parameters
    ----------
    path : Path
        Named in errors.
    text : str
        The file's content.

    Returns
    -------
    list of Cue
        By start; cues without text are left out.

    Raises
    ------
    SourceError
        If a time cannot be read or a cue ends before it starts; with its line.
    """
    cues = []
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        if "-->" not in line:
            continue
        match = _ARROW.match(line)
        times = [_seconds(match[name]) for name in ("start", "end")] if match else [None, None]
        start, end = times
        if start is None or end is None or end < start:
            raise SourceError(
                f"{path}, line {number}: {line.strip()!r} is not a span of time such as "
                "'00:01:02,500 --> 00:01:04,000'",
                code="bad_transcript",
            )
        body = " ".join(_until_blank(lines, number))
        if clean := _clean(body):
            cues.append(Cue(start, end, clean, number))
    return sorted(cues)


def spread_words(tokens: Sequence[str], spans: Sequence[Span]) -> list[Word]:
    """Share spans of time out among words by their length in letters.

    Parameters
    ----------
    tokens : sequence of str
        The words.
    spans : sequence of (start, end)
        In time order, at least one; gaps between them get no words' starts.

    Returns
    -------
    list of Word
        One for each token.

    Examples
    --------
    >>> [(w.text, w.start, w.end) for w in spread_words(["so", "so"], [(0.0, 1.0), (3.0, 4.0)])]
    [('so', 0.0, 1.0), ('so', 3.0, 4.0)]
    """
    # A word costs its letters and the space after it.
    ends = list(accumulate(len(token) + 1 for token in tokens))
    if not ends:
        return []
    done = [0.0, *accumulate(end - start for start, end in spans)]

    def place(share: float, *, at_end: bool) -> Seconds:
        spoken = share * done[-1]
        # An end stays in the span it closes, a start opens the next.
        span = bisect_left(done, spoken) - 1 if at_end else _last_at_most(done, spoken)
        span = min(max(span, 0), len(spans) - 1)
        return min(spans[span][0] + spoken - done[span], spans[span][1])

    words = []
    for token, begin, end in zip(tokens, [0, *ends], ends, strict=False):
        start = place(begin / ends[-1], at_end=False)
        words.append(
            Word(text=token, start=start, end=max(start, place(end / ends[-1], at_end=True)))
        )
    return words


def _last_at_most(values: Sequence[float], wanted: float) -> int:
    index = bisect_left(values, wanted)
    return index if index < len(values) and values[index] == wanted else index - 1


def _words_of_cues(cues: list[Cue], *, path: Path, duration: Seconds) -> list[Word]:
    words: list[Word] = []
    for cue in cues:
        if cue.start >= duration:
            raise SourceError(
                f"{path}, line {cue.line}: begins at {cue.start:.2f} s, the clip lasts "
                f"{duration:.2f} s; is it another clip's transcript?",
                code="transcript_beyond_clip",
            )
        words += spread_words(cue.text.split(), [(cue.start, min(cue.end, duration))])
    return sorted(words, key=lambda word: (word.start, word.end))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8", code="bad_encoding"
        ) from error
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error})", code="unreadable") from error


def _seconds(clock: str) -> Seconds | None:
    match = _CLOCK.match(clock)
    if match is None:
        return None
    hours, minutes, seconds, fraction = match.groups()
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + int(fraction.ljust(3, "0")) / 1000


def _until_blank(lines: list[str], first: int) -> list[str]:
    body = []
    for line in lines[first:]:
        if not line.strip() or "-->" in line:
            break
        body.append(line)
    return body


def _clean(text: str) -> str:
    # A tag may stand inside a word: only line breaks part words.
    return " ".join(html.unescape(_MARKUP.sub("", _BREAK.sub(" ", text))).split())
