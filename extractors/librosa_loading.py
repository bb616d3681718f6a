"""librosa, imported by one process at a time."""

import fcntl
import importlib
import os
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

#: Modules that compile when they are imported, and that librosa imports only when they are used.
COMPILING = ("core.audio", "core.constantq", "core.pitch", "feature.spectral", "util.utils")


def lock_path() -> Path:
    """Say which file this user's processes lock.

    Returns
    -------
    Path
        In the system's folder for temporary files.
    """
    return Path(tempfile.gettempdir()) / f"winnow-librosa-{os.getuid()}.lock"


@cache
def load_librosa() -> ModuleType:
    """Import librosa with all that it compiles, while no other process does.

    Numba keeps a universal function in two files, of which one names symbols of the other by
    numbers that differ from process to process. Of two processes that fill its cache at once each
    may write one of the two, and every process that reads them dies of a segmentation fault.

    Returns
    -------
    module
        ``librosa``.
    """
    # not deleted afterwards: another process may wait for just this file
    with lock_path().open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        for name in COMPILING:
            importlib.import_module(f"librosa.{name}")
        return importlib.import_module("librosa")
