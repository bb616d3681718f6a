"""Transcripts beside clips: found, and read into one form whatever their format."""

import os
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from extractors.sequence import Seconds
from extractors.words import Word
from pipeline.csd_words import csd_entries, read_csd_words
from pipeline.errors import SourceError
from pipeline.passages import Aligner, Passage, Span, align_passages, spread_words
from pipeline.plain_text import read_plain_text
from pipeline.records import Repair
from pipeline.repair_log import RepairLog
from pipeline.subtitles import read_subtitles
from pipeline.text_encoding import read_text
from pipeline.textgrid import read_textgrid
from pipeline.word_json import KINDS, read_word_json

#: Kinds of transcript, best first: those that time words before those that time lines.
SUFFIXES = (".textgrid", ".csd", ".json3", ".json", ".vtt", ".srt", ".txt")

_READERS: Mapping[str, Callable[..., tuple[Passage, ...]]] = {
    ".textgrid": read_textgrid,
    ".json3": read_word_json,
    ".json": read_word_json,
    ".vtt": read_subtitles,
    ".srt": read_subtitles,
}
_TRANSCRIPT_KEY = re.compile(rb'"(?:' + "|".join(KINDS).encode() + rb')"\s*:\s*\[')
# Letters said in a second, twice what the fastest talkers reach, and how many more in any clip.
_MOST_LETTERS, _SPARE_LETTERS = 100.0, 300
# "talk.en.vtt" and "talk.pt-BR.vtt" are beside "talk.mp4".
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, kw_only=True)
class LoadedTranscript:
    """What a transcript file says, before anybody looks for words in the sound.

    Parameters
    ----------
    passages : tuple of Passage
        In time order. :func:`pipeline.passages.passages_to_align` finds those whose words have no
        times.
    has_times : bool
        False for plain text, whose passages all span the whole clip.
    repairs : tuple of Repair
        What was mended.
    """

    passages: tuple[Passage, ...]
    has_times: bool
    repairs: tuple[Repair, ...]


def find_transcripts(media: Iterable[Path], *, language: str | None = None) -> dict[Path, Path]:
    """Find the transcripts beside clips: same name, other suffix.

    The code of a language may stand between name and suffix, as in ``talk.en.vtt``, if it is the
    spoken one or there are such files of one language only; one without a code is better. A
    ``.json`` file counts if it looks like a transcript. A ``.csd`` file that is called after words,
    such as ``CMU_MOSI_TimestampedWords.csd``, holds those of all clips in its folder that are
    called like one of its videos.

    Parameters
    ----------
    media : iterable of Path
        The clips; every folder is listed once.
    language : str, optional
        Code of the language that is spoken, without a country.

    Returns
    -------
    dict of Path to Path
        Of clips that have any: the best, in the order of :data:`SUFFIXES`.
    """
    clips = list(media)
    stems: dict[Path, set[str]] = {}
    for path in clips:
        stems.setdefault(path.parent, set()).add(path.stem)
    listed = {folder: _list_folder(folder) for folder in stems}
    named = {folder: _names_by_clip(listed[folder], stems[folder], language) for folder in stems}
    found = {}
    for path in clips:
        names = [path.stem, *named[path.parent].get(path.stem, ())]
        files = [file for name in names for file in listed[path.parent].get(name, ())]
        best = next((file for file in files if file != path and _may_be_transcript(file)), None)
        if best is not None:
            found[path] = best
    return found


def load_transcript(path: Path, *, duration: Seconds, video: str | None = None) -> LoadedTranscript:
    """Read a transcript.

    Parameters
    ----------
    path : Path
        SubRip (``.srt``), WebVTT (``.vtt``), YouTube's ``.json3``, JSON of Whisper or WhisperX, a
        Praat TextGrid, a ``.csd`` of words, or plain text (``.txt``).
    duration : Seconds
        The clip's length.
    video : str, optional
        The clip's name in a ``.csd`` file; the file's own without it.

    Returns
    -------
    LoadedTranscript
        With at least one word.

    Raises
    ------
    SourceError
        If the file cannot be read, holds no words, or does not fit the clip (begins after it, or
        holds more than anybody can say in it); with its line where there is one.
    """
    suffix = path.suffix.lower()
    log = RepairLog(path, unit="row" if suffix == ".csd" else "line")
    guessed: tuple[Repair, ...] = ()
    if suffix == ".csd":
        passages = read_csd_words(path=path, entry=video or path.stem, duration=duration, log=log)
    else:
        text, guessed = read_text(path)
        read = _READERS.get(suffix, read_plain_text)
        passages = read(text=text, duration=duration, log=log) if text.strip() else ()
    _check_length(path, [token for passage in passages for token in passage.tokens], duration)
    return LoadedTranscript(
        passages=passages,
        has_times=suffix == ".csd" or suffix in _READERS,
        repairs=(*guessed, *log.repairs()),
    )


def place_words(
    transcript: LoadedTranscript,
    *,
    speech: Callable[[], Sequence[Span]],
    aligner: Aligner = spread_words,
) -> tuple[Passage, ...]:
    """Give all words of a transcript times.

    Parameters
    ----------
    transcript : LoadedTranscript
        Words with times keep them.
    speech : callable
        Gives the spans of speech; called for plain text only.
    aligner : callable
        Given the words of a subtitle and its span, or all words of a plain text and the spans of
        speech; without it words share these by their length.

    Returns
    -------
    tuple of Passage
        The same passages, with words.
    """
    spans = None if transcript.has_times else list(speech())
    return align_passages(passages=transcript.passages, aligner=aligner, spans=spans)


def words_of(passages: Iterable[Passage]) -> tuple[Word, ...]:
    """Gather the words of passages.

    Parameters
    ----------
    passages : iterable of Passage
        With words.

    Returns
    -------
    tuple of Word
        In time order.
    """
    words = [word for passage in passages for word in passage.words]
    return tuple(sorted(words, key=lambda word: (word.start, word.end)))


def _check_length(path: Path, tokens: Sequence[str], duration: Seconds) -> None:
    if not tokens:
        raise SourceError(f"{path}: holds no words", code="empty_transcript")
    if sum(map(len, tokens)) > _SPARE_LETTERS + _MOST_LETTERS * duration:
        raise SourceError(
            f"{path}: holds {len(tokens)} words, too many or too long for anybody to say in the "
            f"{duration:.2f} s that the clip lasts; is it another clip's transcript, or no text?",
            code="transcript_beyond_clip",
        )


def _list_folder(folder: Path) -> dict[str, list[Path]]:
    """Find what may be transcripts in a folder, by the name of the clip, best first."""
    ranked: list[tuple[int, str, Path]] = []
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return {}
    for path in (folder / name for name in names):
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            continue
        rank = SUFFIXES.index(suffix)
        ranked += [(rank, name, path) for name in {path.stem, *_videos(path)}]
    listed: dict[str, list[Path]] = {}
    for _, name, path in sorted(ranked):
        listed.setdefault(name, []).append(path)
    return listed


def _names_by_clip(
    names: Iterable[str], clips: Container[str], spoken: str | None
) -> dict[str, list[str]]:
    """Find names that are a clip's and the code of a language, and no other clip's."""
    found: dict[str, list[str]] = {}
    languages: dict[str, set[str]] = {}
    for name in sorted(names):
        clip, _, code = name.rpartition(".")
        language = code.partition("-")[0]
        is_code = clip != "" and name not in clips and _LANGUAGE.fullmatch(code) is not None
        if is_code and spoken in (None, language):
            found.setdefault(clip, []).append(name)
            languages.setdefault(clip, set()).add(language)
    # Of several languages nobody knows which one is spoken.
    return {clip: found[clip] for clip in found if len(languages[clip]) == 1}


def _videos(path: Path) -> tuple[str, ...]:
    """Name the videos in a data set's file of words; other files are of one clip."""
    if path.suffix.lower() != ".csd" or "word" not in path.stem.lower():
        return ()
    try:
        return csd_entries(path)
    except SourceError:
        return ()


def _may_be_transcript(path: Path) -> bool:
    """Tell transcripts from the many other things that are in JSON."""
    if path.suffix.lower() != ".json":
        return True
    try:
        return _TRANSCRIPT_KEY.search(path.read_bytes()) is not None
    except OSError:
        return True
