"""Tables of text with a header line, as label files are."""

import csv
import math
from pathlib import Path
from typing import Literal

from pipeline.errors import SourceError

# Some label files say ``val`` or ``dev``.
_SPLITS = {"train": "train", "valid": "valid", "val": "valid", "dev": "valid", "test": "test"}


def read_table(
    path: Path, *, needed: tuple[str, ...], delimiter: str = ","
) -> list[dict[str, str]]:
    """Read all rows; every cell stays text, so that ``0001`` stays ``0001``.

    Parameters
    ----------
    path : Path
        UTF-8, with or without byte order mark.
    needed : tuple of str
        Columns that must be there.
    delimiter : str
        Between cells; a tab also means that quotation marks are text.

    Returns
    -------
    list of dict
        Column to cell, a cell that is not there is empty; and ``line``, its number in the file.

    Raises
    ------
    SourceError
        If the file cannot be read or lacks a column.
    """
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, delimiter=delimiter, quoting=quoting, restval="")
            columns = list(reader.fieldnames or [])
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read ({error})", code="unreadable") from error
    missing = [name for name in needed if name not in columns]
    if missing:
        raise SourceError(f"{path}: has no column {missing}; it has {columns}", code="bad_format")
    return [
        {**{name: row[name] or "" for name in columns}, "line": str(number)} for number, row in rows
    ]


def number_in(path: Path, row: dict[str, str], column: str) -> float | None:
    """Read a number.

    Parameters
    ----------
    path : Path
        The file, for messages.
    row : dict
        Of :func:`read_table`.
    column : str
        Which cell.

    Returns
    -------
    float or None
        None for an empty cell or no such column.

    Raises
    ------
    SourceError
        If it is no finite number.
    """
    text = row.get(column, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise SourceError(
            f"{path}, line {row['line']}: {column} {text[:80]!r} is not a number", code="bad_number"
        )
    return number


def split_of(path: Path, name: str, *, line: str = "") -> str | None:
    """Translate what others call a split.

    Parameters
    ----------
    path : Path
        The file, for messages.
    name : str
        ``train``, ``valid``, ``val``, ``dev``, ``test`` or empty.
    line : str
        Where it stands.

    Returns
    -------
    str or None
        ``train``, ``valid`` or ``test``; None for an empty name.

    Raises
    ------
    SourceError
        If it is none of them.
    """
    if not name.strip():
        return None
    found = _SPLITS.get(name.strip().lower())
    if found is None:
        raise SourceError(
            f"{path}, line {line}: split {name[:80]!r} is none of {list(_SPLITS)}", code="bad_split"
        )
    return found
