"""Stable digests of files and settings."""

import hashlib
import json
from pathlib import Path
from typing import Any


def file_digest(path: Path) -> str:
    """Digest a file's content.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def settings_digest(settings: Any) -> str:
    """Digest a tree of plain settings, whatever the order of its keys.

    Parameters
    ----------
    settings : object
        Dicts, lists, strings, numbers, booleans and None.

    Returns
    -------
    str
        SHA-256 of the canonical JSON, hexadecimal.

    Raises
    ------
    TypeError
        If something else is in the tree.

    Examples
    --------
    >>> settings_digest({"a": 1, "b": 2}) == settings_digest({"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(settings, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
