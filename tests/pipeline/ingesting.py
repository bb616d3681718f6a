"""Small clips in a folder, and what ingest says of them."""

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.ingest import IngestReport, ingest
from pipeline.segments import SegmentConfig
from pipeline.splits import SplitConfig
from pipeline.word_config import WordConfig
from pipeline.workspace import Workspace

SRT = "1\n00:00:00,000 --> 00:00:00,500\nVery good.\n"


def ingests(folder: Path, workspace: Workspace) -> Callable[..., IngestReport]:
    """Make what ingests the folder, or other sources; any setting may be replaced."""
    # What is heard of words is no matter here: these clips say nothing.
    deaf = WordConfig(alignment="none", asr="none")

    def run(*sources: Path | str, **more: Any) -> IngestReport:
        return ingest(
            sources=sources or [folder],
            workspace=workspace,
            segments=SegmentConfig(),
            split=SplitConfig(),
            **({"words": deaf} | more),
        )

    return run


def adds(folder: Path, make_clip: Callable[..., Path]) -> Callable[..., Path]:
    """Make what adds a small clip with sound only, of a content of its own."""
    number = count(1)

    def add(name: str, *, srt: str | None = SRT, **wanted: Any) -> Path:
        path = folder / name
        chosen = {"picture": None, "sound": "silence", "seconds": 1 + next(number) / 50} | wanted
        # written under a plain name, which every library takes
        plain = make_clip(path=f"plain{path.suffix}", **chosen)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(plain, path)
        if srt is not None:
            path.with_suffix(".srt").write_text(srt)
        return path

    return add


def codes(report: IngestReport, code: str | None = None) -> list[tuple[str, str, str]]:
    return [
        (Path(failure.item).name, failure.step, failure.code)
        for failure in report.failures
        if code in (None, failure.code)
    ]
