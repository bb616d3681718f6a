"""The text of a subtitle: words apart from markup, speakers and sounds."""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from extractors.sequence import Seconds
from extractors.words import TimeSource

# Times and speakers stand in the text as characters of the private planes, so that patterns that
# cross them need not know them.
_FIRST_MARK, _FIRST_TURN, _PLANE = 0xF0000, 0x100000, 0xFFFE
_MARKS = re.compile("[\U000f0000-\U000ffffd]")
_TURNS = re.compile("[\U00100000-\U0010fffd]")
_PRIVATE = re.compile("[\U000f0000-\U0010ffff]")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")

_LINE_BREAK = re.compile(r"<br\s*/?>|\\N", re.IGNORECASE)
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]*)>", re.IGNORECASE)
# A reading aid beside a sign is the same word once more.
_READING = re.compile(r"<rt[^<>]*>[^<>]*(?:</rt>)?", re.IGNORECASE)
# Tags, and the codes of position and style that some editors write into SubRip.
_MARKUP = re.compile(
    r"</?(?:a|b|big|c|center|div|em|font|i|lang|p|q|ruby|s|small|span|strong|su[bp]|tt|u|v)"
    r"(?:[\s./][^<>]*)?>|</?>|<\d[\d:.]*>|\{\\[^{}]*\}|\{[a-z]:[^{}]*\}",
    re.IGNORECASE,
)
_SPACE = re.compile(r"&(?:nbsp|e[mn]sp|thinsp|#160|#xa0);|\\h", re.IGNORECASE)
_UNSEEN = re.compile("&(?:lrm|rlm|shy|zwnj|ZeroWidthSpace);")

_CHANGE = rf"(?P<change>(?:(?:>|&gt;|»){{2,3}}|[-–](?=[^\W\d]|\s|{_PRIVATE.pattern}))\s*)?"
_NAME = r"(?:\[?(?P<label>(?i:speaker)[ _]?\d+)\]?|(?P<name>[^\W\d_a-z][^a-z<>\[\](){}:\n]{0,30}))"
_LINE_START = re.compile(
    rf"^(?:[^\S\n]|{_PRIVATE.pattern})*{_CHANGE}(?:{_NAME}\s*:(?=\s|$))?", re.MULTILINE
)

_BRACKETS = re.compile(
    r"\[([^\[\]]*)\]|［([^［］]*)］|【([^【】]*)】|<([a-z][^<>\n]{0,40})>"
    rf"|{_TURNS.pattern}",
    re.IGNORECASE,
)
_ASIDES = re.compile(
    r"\(([^()]*)\)|（([^（）]*)）|(?<!\w)\*([^\W\d][^*\n]*)\*(?!\w)" rf"|{_TURNS.pattern}"
)
_NOTES = re.compile(rf"[♩♪♫♬]+|{_TURNS.pattern}")
# Blanks and marks around something that stands alone in its line take less than this.
_NEAR = 100
_SOUNDS = re.compile(
    r"\b(?:applau|laugh|giggl|chuckl|cheer|clap|music|sings?\b|singing|hum(?:s|ming)\b|cough|sigh|"
    r"sob|gasp|sniff|groan|whistl|whisper|scream|inaudible|unintelligible|indistinct|crosstalk|"
    r"silence|pause|noise|beep|bleep|foreign|speaking|audience|crying|cries|breath|yawn)|笑|掌|音乐"
    "|音楽|拍手",
    re.IGNORECASE,
)

_CJK = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SIGN = re.compile(f"[{_CJK}]")
_PIECES = re.compile(rf"\s+|{_PRIVATE.pattern}|[^\s\U000f0000-\U0010ffff]+")
_SIGNS_AND_PIECES = re.compile(
    rf"\s+|{_PRIVATE.pattern}|{_SIGN.pattern}[^\w\s\U000f0000-\U0010ffff]*"
    rf"|[^\s{_CJK}\U000f0000-\U0010ffff]+"
)
_SPOKEN_SIGNS = frozenset("&%@#§°")


class Mark(NamedTuple):
    """A time inside a text, from which on the text behind it is said.

    Attributes
    ----------
    time : Seconds or None
        None if only something is known about the word behind it.
    source : str or None
        Where the time of the word behind it is from, if the file tells.
    confidence : float or None
        Of that word.
    """

    time: Seconds | None
    source: TimeSource | None = None
    confidence: float | None = None


class Token(NamedTuple):
    """A word of a subtitle.

    Attributes
    ----------
    text : str
        As written, punctuation included.
    turn : int
        Which of the text's turns it belongs to.
    row : int
        In which line of the subtitle it stands, from 0.
    """

    text: str
    turn: int
    row: int


@dataclass(kw_only=True)
class Turn:
    """Who speaks in a part of a subtitle, and what is heard in it.

    Parameters
    ----------
    speaker : str or None
        As the file names them.
    is_new : bool
        Whether the file says that somebody else begins to speak.
    events : list of str
        What is heard and not said.
    """

    speaker: str | None = None
    is_new: bool = False
    events: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class CueText:
    """What the text of a subtitle consists of.

    Parameters
    ----------
    tokens : list of Token
        The words.
    gaps : list of list of Mark
        One more than words: the marks before each, and those behind the last.
    turns : list of Turn
        At least one.
    """

    tokens: list[Token]
    gaps: list[list[Mark]]
    turns: list[Turn]

    @property
    def is_timed(self) -> bool:
        """Whether the text tells anything about the times of its words."""
        return any(is_telling(mark) for gap in self.gaps for mark in gap)


def is_telling(mark: Mark) -> bool:
    """Tell marks that say something from those that were emptied.

    Parameters
    ----------
    mark : Mark
        In a text.

    Returns
    -------
    bool
        Whether there is a time or a source.
    """
    return mark.time is not None or mark.source is not None


def without_private(text: str) -> str:
    """Free a text of what marks are written with.

    Parameters
    ----------
    text : str
        From a file.

    Returns
    -------
    str
        Without characters of the private planes, and those that are not seen.
    """
    return _INVISIBLE.sub("", _PRIVATE.sub("", text))


def mark_character(number: int) -> str:
    """Write a mark into a text.

    Parameters
    ----------
    number : int
        Which of the text's marks, from 0 to 65533.

    Returns
    -------
    str
        A character.
    """
    return chr(_FIRST_MARK + number % _PLANE)


def read_cue_text(
    *, text: str, marks: Sequence[Mark] = (), speaker: str | None = None, is_markup: bool = True
) -> CueText:
    """Take a subtitle's text apart.

    Tags and codes of style are dropped. ``<v Ann>``, ``ANN:``, ``Speaker 1:``, ``>>`` and a dash
    at the start of a line begin a turn. ``[Music]``, ``*sighs*``, notes, and parentheses that name
    a sound or stand alone in a line, are events. Signs without letters join the word before them.

    Parameters
    ----------
    text : str
        With marks as characters.
    marks : sequence of Mark
        What these stand for.
    speaker : str, optional
        Who speaks, if something other than the text tells.
    is_markup : bool
        Whether tags and names of characters, such as ``&amp;``, are to be understood.

    Returns
    -------
    CueText
        Possibly without words.
    """
    turns = [Turn(speaker=speaker)]
    if is_markup:
        text = _SPACE.sub(" ", _UNSEEN.sub("", _READING.sub("", _LINE_BREAK.sub("\n", text))))
        text = _VOICE.sub(lambda m: "\n" + _begin(turns, Turn(speaker=_plain(m[1]))), text)
        text = _MARKUP.sub("", text)
    text = _LINE_START.sub(lambda m: _line_start(m, turns), text)
    for pattern, take in ((_ASIDES, _aside), (_BRACKETS, _event), (_NOTES, _note)):
        text = _take_out(pattern, take, text, turns)
    tokens, gaps = _scan(text, marks=marks, is_markup=is_markup)
    return CueText(tokens=tokens, gaps=gaps, turns=turns)


def _plain(text: str) -> str | None:
    return " ".join(html.unescape(_PRIVATE.sub("", text)).split()) or None


def _begin(turns: list[Turn], turn: Turn) -> str:
    turns.append(turn)
    return chr(_FIRST_TURN + (len(turns) - 1) % _PLANE)


def _line_start(match: re.Match[str], turns: list[Turn]) -> str:
    name = match["label"] or match["name"] or ""
    # In lower case, or in a script without capitals, it is as likely something that is said.
    is_name = name.upper() == name != name.lower() and len(name.split()) <= 3
    if match["label"] is None and not is_name:
        name = ""
    end = match.end() if name else max(match.end("change"), match.start())
    taken, left = match.string[match.start() : end], match.string[end : match.end()]
    if not taken:
        return match[0]
    turn = Turn(speaker=_plain(name), is_new=True)
    return "".join(_PRIVATE.findall(taken)) + _begin(turns, turn) + left


def _take_out(
    pattern: re.Pattern[str],
    take: Callable[[re.Match[str], Turn], str],
    text: str,
    turns: Sequence[Turn],
) -> str:
    """Replace what a pattern finds, told whose turn it is; the pattern finds turns as well."""
    turn = turns[0]

    def replaced(match: re.Match[str]) -> str:
        nonlocal turn
        left = match[0] if _TURNS.fullmatch(match[0]) else take(match, turn)
        if begun := _TURNS.findall(match[0]):
            turn = turns[ord(begun[-1]) - _FIRST_TURN]
        return left

    return pattern.sub(replaced, text)


def _event(match: re.Match[str], turn: Turn) -> str:
    inside = next((group for group in match.groups() if group is not None), "")
    if told := _plain(inside):
        turn.events.append(told)
    kept = _MARKS.findall(match[0]) + _TURNS.findall(match[0])
    return " " + "\n" * match[0].count("\n") + "".join(kept)


def _aside(match: re.Match[str], turn: Turn) -> str:
    """Take what is in parentheses for a sound if it reads like one; writers use them, too."""
    inside = _plain(next((g for g in match.groups() if g), "")) or ""
    words = len(inside.split())
    is_named = words <= 3 and _SOUNDS.search(inside) is not None
    is_short = words <= 4 and match[3] is None and not inside.endswith((".", "!", "?"))
    if is_named or (is_short and _is_alone(match)):
        return _event(match, turn)
    return match[0]


def _is_alone(match: re.Match[str]) -> bool:
    """Whether nothing else stands in the line; no more than its nearest part is looked at."""
    before = match.string[max(0, match.start() - _NEAR) : match.start()].rpartition("\n")[2]
    after = match.string[match.end() : match.end() + _NEAR].partition("\n")[0]
    return not _PRIVATE.sub("", before + after).strip()


def _note(match: re.Match[str], turn: Turn) -> str:
    if "♪" not in turn.events:
        turn.events.append("♪")
    return " "


def _scan(
    text: str, *, marks: Sequence[Mark], is_markup: bool
) -> tuple[list[Token], list[list[Mark]]]:
    tokens: list[Token] = []
    gaps: list[list[Mark]] = [[]]
    turn = row = 0
    is_open = False
    # Where the file times pieces of Chinese these are words; elsewhere every sign is one.
    is_timed = any(is_telling(mark) for mark in marks)
    for piece in (_PIECES if is_timed else _SIGNS_AND_PIECES).findall(text):
        if piece.isspace():
            row += piece.count("\n")
            is_open = False
        elif _MARKS.match(piece):
            gaps[-1].append(marks[ord(piece) - _FIRST_MARK])
        elif _TURNS.match(piece):
            turn, is_open = ord(piece) - _FIRST_TURN, False
        elif said := _spelled(piece, is_markup=is_markup):
            if is_open and not _SIGN.search(tokens[-1].text + said[0]):
                # A mark inside a word times a syllable.
                tokens[-1] = tokens[-1]._replace(text=tokens[-1].text + said)
                gaps[-1].clear()
            else:
                tokens.append(Token(said, turn, row))
                gaps.append([])
            is_open = True
    return _join_punctuation(tokens, gaps)


def _spelled(piece: str, *, is_markup: bool) -> str:
    return "".join(without_private(html.unescape(piece)).split()) if is_markup else piece


def _join_punctuation(
    tokens: list[Token], gaps: list[list[Mark]]
) -> tuple[list[Token], list[list[Mark]]]:
    """Join signs without letters to the word before them, or else to the one behind."""
    words: list[Token] = []
    between: list[list[Mark]] = [gaps[0]]
    opening: Token | None = None
    for token, gap in zip(tokens, gaps[1:], strict=True):
        is_word = any(map(_is_spoken, token.text))
        if opening is not None and opening.turn == token.turn:
            token = token._replace(text=opening.text + token.text)
        if is_word:
            words.append(token)
            between.append(list(gap))
        elif words and words[-1].turn == token.turn and not _opens(token.text):
            words[-1] = words[-1]._replace(text=words[-1].text + token.text)
            between[-1] += gap
        else:
            between[-1] += gap
            opening = token
            continue
        opening = None
    if words and opening is not None and words[-1].turn == opening.turn:
        words[-1] = words[-1]._replace(text=words[-1].text + opening.text)
    return words, between


def _is_spoken(sign: str) -> bool:
    """Whether a sign is read aloud: letters, numbers, "plus", "dollars"."""
    if sign.isalnum() or sign in _SPOKEN_SIGNS:
        return True
    return unicodedata.category(sign) in ("Sm", "Sc") and sign not in "|~"


def _opens(signs: str) -> bool:
    return all(sign in "¿¡" or unicodedata.category(sign) in ("Ps", "Pi") for sign in signs)
