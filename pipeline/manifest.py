"""Lists of records as JSON lines."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.atomic import write_text
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
    if not path.exists():
        return []
    adapter: TypeAdapter[RecordT] = _adapter(kind)
    records = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                records.append(adapter.validate_json(line))
            except ValidationError as error:
                raise StoreError(
                    f"{path}, line {number}: not a {kind.__name__} ({error.error_count()} errors, "
                    f"first: {error.errors()[0]['msg']}); delete the file and run ingest again"
                ) from error
    return records


def write_manifest(path: Path, records: Iterable[Any]) -> None:
    """Replace a file by these records, atomically.

    Parameters
    ----------
    path : Path
        Where to.
    records : iterable of dataclass instances
        What to write, one JSON object a line.
    """
    lines = [
        json.dumps(_adapter(type(record)).dump_python(record), allow_nan=False)
        for record in records
    ]
    write_text(path, "".join(f"{line}\n" for line in lines))


# to make one takes longer than to read a short file with it
_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]
