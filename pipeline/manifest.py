"""Lists of records as JSON lines."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.atomic import replacing
from pipeline.errors import StoreError

RecordT = TypeVar("RecordT")


def read_manifest(path: Path, kind: type[RecordT]) -> list[RecordT]:
    """Read all records of a file.

    Parameters
    ----------
    path : Path
        JSON lines; a file that is not there holds no records.
    kind : type
        The record's dataclass.

    Returns
    -------
    list
        In the file's order.

    Raises
    ------
    StoreError
        If a line is not such a record; the message names file and line.
    """
    return [record for _, record in iterate_manifest(path, kind)]


def iterate_manifest(
    path: Path, kind: type[RecordT], *, naming: str = ""
) -> Iterator[tuple[int, RecordT]]:
    """Read a file's records one at a time.

    Parameters
    ----------
    path, kind
        As for :func:`read_manifest`.
    naming : str
        Pass over lines without this plain ASCII text, which costs little.

    Yields
    ------
    offset : int
        Where the record's line begins, bytes, for :func:`read_line`.
    record : kind
        The record.

    Raises
    ------
    StoreError
        As :func:`read_manifest`.
    """
    if not path.exists():
        return
    adapter: TypeAdapter[RecordT] = _adapter(kind)
    offset, wanted = 0, naming.encode()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                if wanted in line:
                    yield offset, adapter.validate_json(line)
            except ValidationError as error:
                raise StoreError(
                    f"{path}, line {number}: not a {kind.__name__} ({error.error_count()} errors, "
                    f"first: {error.errors()[0]['msg']}); delete the file and run ingest again"
                ) from error
            offset += len(line)


def read_line(path: Path, offset: int, kind: type[RecordT]) -> RecordT | None:
    """Read one record.

    Parameters
    ----------
    path, kind
        As for :func:`read_manifest`.
    offset : int
        As :func:`iterate_manifest` gave it.

    Returns
    -------
    kind or None
        None if no such record begins there any more.
    """
    adapter: TypeAdapter[RecordT] = _adapter(kind)
    try:
        with path.open("rb") as lines:
            lines.seek(offset)
            return adapter.validate_json(lines.readline())
    except (FileNotFoundError, ValidationError):
        return None


def write_manifest(path: Path, records: Iterable[Any]) -> None:
    """Replace a file by these records, atomically.

    Parameters
    ----------
    path : Path
        Where to.
    records : iterable of dataclass instances
        What to write, one JSON object a line.
    """
    with writing_manifest(path) as write:
        for record in records:
            write(record)


@contextmanager
def writing_manifest(path: Path) -> Iterator[Callable[[Any], None]]:
    """Replace a file by records that come one at a time; after an error it stays as it was.

    Parameters
    ----------
    path : Path
        Where to.

    Yields
    ------
    callable
        Writes a dataclass instance as the next line.
    """

    def write(record: Any) -> None:
        line = json.dumps(_adapter(type(record)).dump_python(record), allow_nan=False)
        stream.write(f"{line}\n")

    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        yield write


# to make one takes longer than to read a short file with it
_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
