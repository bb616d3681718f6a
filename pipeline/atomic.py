"""Writes that are there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: temporary file, fsync, rename.

    Parameters
    ----------
    path : Path
        Where to; its folder is made.
    content : bytes
        The whole content.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a UTF-8 text file atomically.

    Parameters
    ----------
    path : Path
        Where to; its folder is made.
    content : str
        The whole content.
    """
    write_bytes(path, content.encode())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Let a file be written piece by piece and then take its place, or vanish after an error.

    Parameters
    ----------
    path : Path
        Where to; its folder is made.

    Yields
    ------
    Path
        An empty file beside it, to be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
