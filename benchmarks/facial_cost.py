"""Speed and memory of the extractor ``openface``, for :mod:`benchmarks.facial`."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from rich.table import Table

from extractors.face_mesh import FaceMesh
from extractors.facial import FacialExtractor
from extractors.media import ImageArray, Media

# CPU time of the whole extractor in parts of the bare face mesh's.
MOST_COST = 5.5 / 4.0
# Peak memory for a video of four times the length, in parts of that for the video itself.
MOST_MEMORY = 1.1


def headed(title: str, *headings: str) -> Table:
    """Begin a table: words to the left in its first column, numbers to the right in the others."""
    table = Table(title=title)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def verdict(reached: bool) -> str:
    """Word a result."""
    return "[green]ok" if reached else "[red]missed"


def milliseconds(work: Callable[[], object], pictures: int) -> float:
    """CPU milliseconds a picture."""
    started = time.process_time()
    work()
    return 1e3 * (time.process_time() - started) / pictures


def bare_mesh(images: Sequence[ImageArray]) -> tuple[float, float]:
    """CPU ms a picture of the face mesh: in pictures where it finds a face, and in all."""
    spent, found = [], []
    with FaceMesh() as mesh:
        for image in images:
            started = time.process_time()
            found.append(mesh.find(image) is not None)
            spent.append(1e3 * (time.process_time() - started))
    seen = np.array(spent)[found]
    return float(seen.mean()) if len(seen) else float("nan"), float(np.mean(spent))


class Costs(NamedTuple):
    """CPU ms a picture."""

    decoding: float
    mesh_with_face: float
    mesh: float
    whole: float


def costs(clip: Path, rounds: int) -> Costs:
    """Measure by turns, and take medians."""
    media, extractor = Media(path=clip), FacialExtractor()
    images = [frame.image for frame in media.frames()]
    found = [
        Costs(
            milliseconds(lambda: sum(1 for _ in media.frames()), len(images)),
            *bare_mesh(images),
            milliseconds(lambda: extractor.extract(media), len(images)),
        )
        for _ in range(rounds)
    ]
    return Costs(*np.median(found, axis=0).tolist())


def speed_table(clips: Sequence[Path], rounds: int) -> tuple[Table, bool]:
    """Measure the whole extractor beside the bare face mesh, by turns."""
    table = headed(
        f"CPU ms a picture, median of {rounds} rounds by turns",
        *("clip", "decoding", "bare mesh\nall", "bare mesh\nwith a face"),
        *("whole", "whole / mesh\nwith a face", "goal", ""),
    )
    good = []
    for clip in clips:
        cost = costs(clip, rounds)
        ratio = cost.whole / cost.mesh_with_face
        good.append(ratio <= MOST_COST)
        info = Media(path=clip).info
        table.add_row(
            f"{clip.stem}, {info.width}x{info.height}",
            *(f"{number:.2f}" for number in (cost.decoding, cost.mesh, cost.mesh_with_face)),
            *(f"{cost.whole:.2f}", f"{ratio:.2f}", f"<= {MOST_COST:.2f}", verdict(good[-1])),
        )
    table.caption = (
        "whole: decoding, sound, cuts, detection, mesh, measures. The bare mesh gets decoded "
        "pictures; one in which it finds no face costs it less."
    )
    return table, all(good)


def repeated(source: Path, target: Path, times: int) -> None:
    """Write a video several times over, without coding it again."""
    with av.open(str(target), "w") as out:
        streams: dict[int, av.stream.Stream] = {}
        for turn in range(times):
            with av.open(str(source)) as container:
                for stream in () if streams else container.streams:
                    streams[stream.index] = out.add_stream_from_template(stream)
                for packet in container.demux():
                    if packet.dts is None or packet.pts is None:
                        continue
                    # a second between, for sound and pictures do not end together
                    shift = turn * ((container.duration or 0) / av.time_base + 1.0)
                    packet.pts += round(shift / packet.time_base)
                    packet.dts += round(shift / packet.time_base)
                    packet.stream = streams[packet.stream.index]
                    out.mux(packet)


def peak_memory(path: Path) -> float:
    """Peak memory in MB of this process after measuring a video."""
    FacialExtractor().extract(Media(path=path))
    # ru_maxrss would include the process that started this one
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


def memory_table(source: Path) -> tuple[Table, bool]:
    """Measure peak memory of a process of its own, for growing lengths."""
    table = headed("Peak memory", "video", "s", "MB", "beside the shortest", "goal", "")
    peaks: list[float] = []
    for times in (1, 4):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "clip.mp4")
            repeated(source, path, times)
            command = [sys.executable, "-m", "benchmarks.facial", "--memory-of", str(path)]
            done = subprocess.run(command, check=True, text=True, capture_output=True)
            seconds = Media(path=path).info.duration
        peaks.append(float(done.stdout))
        more, flat = peaks[-1] / peaks[0], peaks[-1] / peaks[0] <= MOST_MEMORY
        numbers = (f"{seconds:.0f}", f"{peaks[-1]:.0f}", f"{more - 1:+.1%}")
        goal = f"<= {MOST_MEMORY - 1:+.0%}"
        table.add_row(f"{times} x {source.stem}", *numbers, goal, verdict(flat))
    return table, peaks[-1] / peaks[0] <= MOST_MEMORY
