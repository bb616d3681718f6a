"""Whether somebody is still writing a file."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import SourceError


@contextmanager
def settled(path: Path, *, status: os.stat_result, seconds: float) -> Iterator[None]:
    """Read a file only if nobody seems to be writing it.

    Parameters
    ----------
    path : Path
        The file; it is read inside the context.
    status : os.stat_result
        Its status before.
    seconds : float
        How long ago the last change must be, >= 0; with 0 a file that was just written is taken.
        A change in the future tells nothing and is taken for an old one.

    Raises
    ------
    SourceError
        With code ``still_changing`` if the last change is too recent, or if size or time were
        others after reading than before, whatever reading it came to.
    OSError
        If the file is gone after reading.
    """
    age = time.time() - status.st_mtime
    if abs(age) < seconds:
        raise _still_changing(
            path, f"was written {max(age, 0.0):.1f} s ago, {seconds:g} s are asked"
        )
    try:
        yield
    finally:
        # also after an error: half a video is no video, and that is not the file's fault
        after = path.stat()
        if after.st_size != status.st_size:
            grown = f"went from {status.st_size} to {after.st_size} bytes while it was read"
            raise _still_changing(path, grown)
        if after.st_mtime_ns != status.st_mtime_ns:
            raise _still_changing(path, "was written while it was read")


def _still_changing(path: Path, what: str) -> SourceError:
    return SourceError(
        f"{path}: {what}, as if it were still being copied; left for the next time",
        code="still_changing",
    )
