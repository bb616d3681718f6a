"""Subtitles of any format, put in order: spans that fit the clip, no word twice."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from extractors.sequence import Seconds
from extractors.words import Word
from pipeline.cue_text import CueText, Mark, is_telling, read_cue_text
from pipeline.passages import Passage, Span, spread_words
from pipeline.repair_log import RepairLog

# A caption that rolls on follows at once, and stands still for an instant in between.
_ADJOINS: Seconds = 0.1
_INSTANT: Seconds = 0.05
# Nobody says words faster than this: what begins sooner is shown at the same time.
_FASTEST_WORD: Seconds = 0.1
# What a word is given where its subtitle has no time for it.
_SLOW_WORD: Seconds = 0.5
# The last subtitle often stays a moment longer than the picture.
_LINGERS: Seconds = 0.5


class Cue(NamedTuple):
    """A subtitle as its file gives it.

    Attributes
    ----------
    start, end : Seconds
        When it is shown; the start may be negative.
    text : str
        With marks as characters, see :mod:`pipeline.cue_text`.
    line : int
        Where it stands in its file, from 1.
    marks : tuple of Mark
        What the marks in the text stand for.
    speaker : str or None
        Who speaks, if something other than the text tells.
    """

    start: Seconds
    end: Seconds
    text: str
    line: int
    marks: tuple[Mark, ...] = ()
    speaker: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """A cue whose text is taken apart."""

    start: Seconds
    end: Seconds
    line: int
    text: CueText
    is_timed: bool

    @property
    def words(self) -> list[str]:
        return [token.text for token in self.text.tokens]


def passages_of_cues(
    *, cues: Sequence[Cue], duration: Seconds, log: RepairLog, is_markup: bool = True
) -> tuple[Passage, ...]:
    """Make passages of subtitles.

    Repaired, and written down: subtitles out of order are sorted; what lies before the clip is
    left out, and what lasts longer is cut; lines that rolling captions repeat are left out; of
    two that overlap the first ends where the second begins, unless both are shown at the same
    time; one that is too short for its words lasts longer; times of words that leave their
    subtitle or go back are not used.

    Parameters
    ----------
    cues : sequence of Cue
        In the file's order.
    duration : Seconds
        The clip's length; what is shown after its end is cut there.
    log : RepairLog
        Told of repairs.
    is_markup : bool
        Whether tags and names of characters in the text are to be understood.

    Returns
    -------
    tuple of Passage
        In time order; words have times where the file gives them.

    Raises
    ------
    SourceError
        ``bad_transcript`` if a span is reversed, ``transcript_beyond_clip`` if one begins after
        the clip; with its line.
    """
    for cue in cues:
        if not cue.start <= cue.end:
            told = f"ends at {cue.end:.3f} s before it begins at {cue.start:.3f} s; mend the file"
            raise log.refuse(told, cue.line)
        refuse_beyond(cue.start, duration, log, cue.line)
        note_beyond(cue.end, duration, log, cue.line)
    shown = [_read(cue, log, is_markup) for cue in _in_order(cues, log)]
    spoken = _without_repeats(shown, log)
    spans = _without_overlaps(spoken, log)
    return tuple(
        passage
        for cue, span in zip(spoken, spans, strict=True)
        for passage in _passages(cue, span, duration)
    )


def refuse_beyond(start: Seconds, duration: Seconds, log: RepairLog, line: int) -> None:
    """Refuse what begins after the clip.

    Parameters
    ----------
    start : Seconds
        When something begins.
    duration : Seconds
        The clip's length.
    log : RepairLog
        Of the file.
    line : int
        Where it stands.

    Raises
    ------
    SourceError
        ``transcript_beyond_clip``.
    """
    if start >= duration:
        raise log.refuse(
            f"begins at {start:.2f} s, the clip lasts {duration:.2f} s; is it another clip's "
            "transcript?",
            line,
            code="transcript_beyond_clip",
        )


def note_beyond(end: Seconds, duration: Seconds, log: RepairLog, line: int) -> None:
    """Write down what ends well after the clip, and will be cut there.

    Parameters
    ----------
    end : Seconds
        When something ends.
    duration : Seconds
        The clip's length.
    log : RepairLog
        Of the file.
    line : int
        Where it stands.
    """
    if end > duration + _LINGERS:
        log.note("beyond_clip", "ends after the clip and ends with it now", line)


def _in_order(cues: Sequence[Cue], log: RepairLog) -> list[Cue]:
    kept: list[Cue] = []
    for cue in cues:
        if cue.end <= 0 and cue.start < 0:
            log.note("negative_time", "lies before the clip and was left out", cue.line)
            continue
        if cue.start < 0:
            log.note("negative_time", "began before the clip and begins with it now", cue.line)
        if kept and max(cue.start, 0.0) < kept[-1].start:
            log.note("unsorted", "begins before the subtitle above it; sorted", cue.line)
        kept.append(cue._replace(start=max(cue.start, 0.0)))
    return sorted(kept, key=lambda cue: (cue.start, cue.end))


def _read(cue: Cue, log: RepairLog, is_markup: bool) -> _Shown:
    marks = cue.marks
    text = read_cue_text(text=cue.text, marks=marks, speaker=cue.speaker, is_markup=is_markup)
    times = [m.time for gap in text.gaps for m in gap if m.time is not None]
    if times and [cue.start, *times, cue.end] != sorted([cue.start, *times, cue.end]):
        log.note(
            "word_times",
            "times of words go back or leave their subtitle; they are not used",
            cue.line,
        )
        text = read_cue_text(
            text=cue.text,
            marks=[Mark(None)] * len(marks),
            speaker=cue.speaker,
            is_markup=is_markup,
        )
    return _Shown(start=cue.start, end=cue.end, line=cue.line, text=text, is_timed=text.is_timed)


def _without_repeats(shown: list[_Shown], log: RepairLog) -> list[_Shown]:
    """Leave out what captions that roll or grow show again."""
    pairs = [(a, b) for a, b in pairwise(shown) if a.words and b.words and _may_roll(a, b)]
    repeats = {id(b): _repeated(a, b) for a, b in pairs}
    found = [(b, repeats[id(b)]) for _, b in pairs if repeats[id(b)]]
    # Somebody may say a thing twice; nobody does so in every other subtitle, and adds to it.
    grows = any(k < len(b.words) or b.end - b.start < _INSTANT for b, k in found)
    if 2 * len(found) < len(pairs) or not grows:
        return shown
    has_times = any(cue.is_timed for cue in shown)
    kept = []
    heard: list[str] = []
    for cue in shown:
        new = _after(cue, repeats.get(id(cue), 0), heard)
        if repeats.get(id(cue)):
            log.note("repeated_lines", "repeats words of the subtitle before; left out", cue.line)
        # The word that begins a timed line has no time of its own: it begins with the subtitle.
        alone = has_times and len(new.text.tokens) == 1
        kept.append(replace(new, is_timed=new.text.is_timed or alone))
        heard = [event for turn in cue.text.turns for event in turn.events]
    return kept


def _may_roll(before: _Shown, cue: _Shown) -> bool:
    """Whether a subtitle goes on at once, or stands above a line that is timed while it is not."""
    timed = _timed_rows(cue)
    is_above = bool(timed) and cue.text.tokens[0].row not in timed
    return is_above or cue.start - before.end < _ADJOINS


def _timed_rows(cue: _Shown) -> set[int]:
    return {
        token.row
        for token, gap in zip(cue.text.tokens, cue.text.gaps, strict=False)
        if any(is_telling(mark) for mark in gap)
    }


def _repeated(before: _Shown, cue: _Shown) -> int:
    """Count words at the beginning that are whole lines at the end of the subtitle before."""
    timed_rows = _timed_rows(cue)
    may_repeat = [token for token in cue.text.tokens if token.row not in timed_rows]
    words = [token.text for token in may_repeat]
    rows = [token.row for token in before.text.tokens]
    for first in range(len(rows)):
        end = before.words[first:]
        if (first == 0 or rows[first] != rows[first - 1]) and words[: len(end)] == end:
            return len(end)
    return 0


def _after(cue: _Shown, count: int, heard: list[str]) -> _Shown:
    went_on = {token.turn for token in cue.text.tokens[:count]}
    turns = [
        replace(
            turn,
            is_new=turn.is_new and number not in went_on,
            events=[event for event in turn.events if event not in heard],
        )
        for number, turn in enumerate(cue.text.turns)
    ]
    rest = CueText(tokens=cue.text.tokens[count:], gaps=cue.text.gaps[count:], turns=turns)
    return replace(cue, text=rest)


def _without_overlaps(cues: list[_Shown], log: RepairLog) -> list[Span]:
    """Give every cue whose words have no times a span that it shares with none, or wholly."""
    spans = [(cue.start, cue.end) for cue in cues]
    groups: list[tuple[Span, list[int]]] = []
    words = 0
    for number, cue in enumerate(cues):
        if cue.is_timed or not cue.text.tokens:
            continue
        (first, last), group = groups[-1] if groups else ((0.0, 0.0), [])
        is_overlap = bool(group) and (cue.start < last or cue.start == first)
        is_together = is_overlap and cue.start - first < words * _FASTEST_WORD
        if is_overlap:
            log.note("overlap", "overlaps the subtitle before; its words follow", cue.line)
            groups[-1] = ((first, max(last, cue.end) if is_together else cue.start), group)
        if is_together:
            group.append(number)
        else:
            groups.append((spans[number], [number]))
            words = 0
        words += len(cue.text.tokens)
    for span, group in groups:
        longer = _lengthened(span, group, cues, log)
        for number in group:
            spans[number] = longer
    return spans


def _lengthened(span: Span, group: list[int], cues: list[_Shown], log: RepairLog) -> Span:
    """Let a span that is too short for its words last until the next subtitle, within reason."""
    start, end = span
    words = sum(len(cues[number].text.tokens) for number in group)
    if end - start >= words * _FASTEST_WORD:
        return span
    after = range(group[-1] + 1, len(cues))
    behind = (cues[number].start for number in after if cues[number].text.tokens)
    longer = min(start + words * _SLOW_WORD, next(behind, math.inf))
    if longer <= end:
        return span
    log.note("too_short", "has no time for its words and lasts longer now", cues[group[0]].line)
    return start, longer


def _passages(cue: _Shown, span: Span, duration: Seconds) -> list[Passage]:
    start, end = span[0], min(span[1], duration)
    tokens = cue.text.tokens
    words = _timed(cue.text, start, end) if cue.is_timed else []
    passages = []
    of_turn: dict[int, list[int]] = {}
    for i, token in enumerate(tokens):
        of_turn.setdefault(token.turn, []).append(i)
    for number, turn in enumerate(cue.text.turns):
        members = of_turn.get(number, [])
        if not members and not turn.events:
            continue
        said = [words[i] for i in members] if words else []
        passages.append(
            Passage(
                start=said[0].start if said else start,
                end=max(word.end for word in said) if said else end,
                tokens=tuple(tokens[i].text for i in members),
                words=tuple(said),
                speaker=turn.speaker,
                is_turn=turn.is_new,
                events=tuple(turn.events),
                line=cue.line,
            )
        )
    return passages


def _timed(text: CueText, start: Seconds, end: Seconds) -> list[Word]:
    """Give words the times that stand between them; those without any share what is left."""
    words: list[Word] = []
    known = [i for i, gap in enumerate(text.gaps) if any(mark.time is not None for mark in gap)]
    edges = sorted({0, *known, len(text.tokens)})
    for first, last in pairwise(edges):
        begins = [mark.time for mark in text.gaps[first] if mark.time is not None]
        stops = [mark.time for mark in text.gaps[last] if mark.time is not None]
        # Of two times between words the first ends one and the second begins the other.
        span = (min((begins or [start])[-1], end), min((stops or [end])[0], end))
        said = [token.text for token in text.tokens[first:last]]
        words += spread_words(said, [span]) if len(said) > 1 else _one(said, span, text.gaps[first])
    return words


def _one(said: list[str], span: Span, gap: Sequence[Mark]) -> list[Word]:
    told = next((mark for mark in reversed(gap) if mark.source is not None), Mark(None))
    return [
        Word(
            text=text,
            start=span[0],
            end=span[1],
            source=told.source or "subtitle",
            confidence=told.confidence,
        )
        for text in said
    ]
