"""Text files of unknown encoding."""

import codecs
import re
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.records import Repair

# UTF-32's mark begins like UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF8_PAIR = re.compile(
    rb"[\xc3-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_CONTROL = re.compile(r"[\x01-\x08\x0e-\x1f\x7f]")


def read_text(path: Path) -> tuple[str, tuple[Repair, ...]]:
    """Read a text file whose encoding nobody wrote down.

    A byte order mark is believed; without one the file is UTF-8, or else Latin-1 in the form that
    Windows writes (code page 1252), which is recorded as a guess. Text that would come out as
    something else than its author wrote is refused.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    text : str
        Without byte order mark; ends of lines as they stand.
    repairs : tuple of Repair
        ``guessed_encoding`` if it was read as Latin-1, ``control_characters`` if there were any,
        which are spaces now.

    Raises
    ------
    SourceError
        ``unreadable``, or ``bad_encoding`` with the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error})", code="unreadable") from error
    text, repairs = _decode(path, content)
    if "\0" in text:
        raise SourceError(
            f"{path}, line {_line(text, text.index(chr(0)))}: holds zero bytes, so it is no text, "
            "or UTF-16 without a byte order mark; save it as UTF-8",
            code="bad_encoding",
        )
    text = text.rstrip("\x1a")
    if found := _CONTROL.search(text):
        repairs.append(
            Repair(
                code="control_characters",
                detail=f"{path}, line {_line(text, found.start())}: control characters were read "
                "as spaces",
            )
        )
        text = _CONTROL.sub(" ", text)
    return text, tuple(repairs)


def _decode(path: Path, content: bytes) -> tuple[str, list[Repair]]:
    mark, encoding = next((m for m in _MARKS if content.startswith(m[0])), (b"", "utf-8"))
    body = content[len(mark) :]
    try:
        return body.decode(encoding), []
    except UnicodeDecodeError as error:
        before = body[: error.start].decode(encoding)
        where = f"{path}, line {_line(before, len(before))}"
        if mark or not _is_western(content):
            raise SourceError(
                f"{where}: is not {encoding.upper()} at byte {error.start + len(mark)}; save the "
                "file as UTF-8",
                code="bad_encoding",
            ) from error
    guess = Repair(
        code="guessed_encoding",
        detail=f"{where}: is not UTF-8 and was read as Latin-1; save it as UTF-8 if letters with "
        "accents came out wrong",
    )
    return content.decode("cp1252"), [guess]


def _is_western(content: bytes) -> bool:
    """Tell text in a Latin script with some accents from damaged UTF-8 and other code pages."""
    odd = sum(byte > 0x7F for byte in content)
    plain = sum(chr(byte).isalpha() for byte in content if byte < 0x80)
    of_pairs = sum(len(pair) for pair in _UTF8_PAIR.findall(content))
    undefined = sum(content.count(byte) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
    return odd <= plain and 2 * of_pairs <= odd and not undefined


def _line(text: str, position: int) -> int:
    return len(re.findall(r"\r\n|\r|\n", text[:position])) + 1
