"""A workspace as maintenance finds it, and what is said of what it did."""

import os
import time
from pathlib import Path
from typing import Any

from pipeline.chain import Project
from pipeline.config import load_config
from pipeline.maintenance import Maintenance
from pipeline.workspace import Workspace

SETTINGS = {
    "extractors": {"covarep": {}},
    "jobs": 1,
    "words": {"alignment": "none", "asr": "none"},
    "wait_seconds": 0.0,
}


def project_at(root: Path, **more: Any) -> Project:
    return Project(workspace=Workspace(root=root), config=load_config(None, SETTINGS | more))


def age(path: Path, days: float) -> None:
    """Let a file or folder look as if it had been written days ago."""
    at = time.time() - days * 86400
    for entry in [*path.rglob("*"), path] if path.is_dir() else [path]:
        os.utime(entry, (at, at))


def kinds(done: Maintenance) -> list[tuple[str, str]]:
    return sorted((entry.kind, entry.name.rpartition("/")[2]) for entry in done.removed)
