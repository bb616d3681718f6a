"""What a thousand hours of video cost, from what a few clips cost: ``make bench-cost``.

    core-hours = hours * (processor seconds a second of video), for ingest and every extractor
    gigabytes  = hours * (bytes of features an hour of video) / 10**9
    price      = core-hours * price of a core-hour + gigabytes * months * price of a gigabyte-month

Prices are arguments: they are not known here. Processor seconds count all threads, so that they do
not depend on what else the machine does.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from cyclopts import run
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from extractors.media import Media
from pipeline.chain import Project
from pipeline.config import build_extractors, load_config
from pipeline.errors import SourceError
from pipeline.workspace import Workspace

#: Sets of extractors of different modalities; every extractor is in one of them.
SETS: tuple[dict[str, dict[str, object]], ...] = (
    {"covarep": {}, "openface": {}, "bert": {}},
    {"librosa33": {}, "openface": {"fps": 15}, "bert_tokens": {}},
)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a step costs.

    Parameters
    ----------
    name : str
        The step.
    seconds : float
        Of processor time, a second of video.
    bytes : float
        Stored, a second of video.
    """

    name: str
    seconds: float
    bytes: float = 0.0


def measure(videos: Path, place: Path) -> tuple[float, list[Cost]]:
    """Ingest and extract every clip once, in this process, after one clip as a warm-up.

    Parameters
    ----------
    videos : Path
        A folder of clips.
    place : Path
        A folder for workspaces.

    Returns
    -------
    seconds : float
        Of video.
    costs : list of Cost
        By step.
    """
    costs, length = [], 0.0
    for number, extractors in enumerate(SETS):
        config = load_config(None, {"extractors": extractors})
        project = Project(workspace=Workspace(root=place / str(number)), config=config)
        began = time.process_time()
        project.ingest(videos)
        spent = time.process_time() - began
        length = sum(clip.duration for clip in project.clips())
        if not number:
            costs.append(Cost(name="ingest: hash, speech, times of words", seconds=spent / length))
        for name, extractor in build_extractors(config.extractors).items():
            jobs = [job for job in project.plan().jobs if name in job.missing]
            if not jobs:
                raise SourceError(f"{videos}: holds nothing for {name}; name other videos")
            seconds = stored = 0.0
            for place_in_line, job in enumerate([jobs[0], *jobs]):
                began = time.process_time()
                sequence = extractor.extract(Media(path=Path(job.clip.path), words=job.words))
                project.store.put(job.missing[name], sequence)
                # the first time models are read and code is compiled
                if place_in_line:
                    seconds += time.process_time() - began
            paths = {job.missing[name].path for job in jobs}
            stored = sum(file.size for file in project.store.files() if file.path in paths)
            shown = ", ".join(f"{k}={v}" for k, v in extractors[name].items())
            costs.append(
                Cost(
                    name=f"{name} ({shown})" if shown else name,
                    seconds=seconds / sum(job.clip.duration for job in jobs),
                    bytes=stored / sum(job.clip.duration for job in jobs),
                )
            )
    return length, costs


def cost(
    *,
    videos: Path = Path("sample_videos"),
    hours: float = 1000.0,
    core_hour: float | None = None,
    gigabyte_month: float | None = None,
    months: float = 1.0,
) -> None:
    """Measure on a few clips, and print what many hours of video take.

    Parameters
    ----------
    videos : Path
        A folder of clips like those that are meant.
    hours : float
        Of video.
    core_hour, gigabyte_month : float
        Prices, in any currency.
    months : float
        How long features are kept.
    """
    threadpool_limits(limits=1)
    torch.set_num_threads(1)
    with TemporaryDirectory(prefix="winnow-cost-") as place:
        length, costs = measure(videos, Path(place))
    columns = ["step", "core-seconds a second", "MB an hour", f"core-hours for {hours:g} h", "GB"]
    priced = core_hour is not None or gigabyte_month is not None
    table = Table(*columns, *(["price"] if priced else []), title=f"{videos}, {length:.0f} s")
    for entry in costs:
        gigabytes = entry.bytes * 3600 * hours / 1e9
        row = [
            entry.name,
            f"{entry.seconds:.3f}",
            f"{entry.bytes * 3600 / 1e6:.1f}",
            f"{entry.seconds * hours:.0f}",
            f"{gigabytes:.1f}",
        ]
        if priced:
            price = entry.seconds * hours * (core_hour or 0.0)
            row.append(f"{price + gigabytes * months * (gigabyte_month or 0.0):.2f}")
        table.add_row(*row)
    Console(soft_wrap=True, width=None if sys.stdout.isatty() else 130).print(table)


if __name__ == "__main__":
    run(cost)
