"""Accuracy and cost of the extractor ``covarep``, printed as tables: ``make bench-acoustic``.

Accuracy is measured against COVAREP's own output, in ``reference/acoustic`` of the folder that
``WINNOW_REFERENCE`` names; without it only the cost is. Cost is processor time on one core.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io.wavfile
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from extractors.acoustic import AcousticConfig, acoustic_features
from extractors.closure_instants import closure_instants
from extractors.framing import SAMPLE_RATE
from extractors.linear_prediction import lp_residual, signal_polarity
from extractors.media import Media
from extractors.pitch import track_pitch

SAMPLES = Path(__file__).parents[1] / "sample_videos"
LENGTHS = (10, 60, 300, 1800)
HOUR = 3600
# Real time of COVAREP itself, seconds of processor time a second of sound.
COVAREP_COST = 6.0
Array = np.ndarray


class Goal(NamedTuple):
    """What a group of columns must reach."""

    label: str
    columns: tuple[str, ...]
    measure: Callable[[Array, Array], float]
    least: float


class Recording(NamedTuple):
    """A recording of 16 kHz and what COVAREP made of it."""

    name: str
    signal: Array
    output: dict[str, Array]


def correlation(ours: Array, theirs: Array) -> float:
    """Pearson's r; NaN for a constant column."""
    if np.ptp(ours) == 0 or np.ptp(theirs) == 0:
        return float("nan")
    return float(np.corrcoef(ours, theirs)[0, 1])


def circular_correlation(ours: Array, theirs: Array) -> float:
    """Circular correlation (Jammalamadaka & SenGupta 2001, eq. 8.2.2)."""
    a, b = (np.sin(x - np.angle(np.exp(1j * x).mean())) for x in (ours, theirs))
    scale = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return float(np.sum(a * b) / scale) if scale > 1e-12 else float("nan")


def share_within(tolerance: float) -> Callable[[Array, Array], float]:
    """Share of rows that differ by no more than a tolerance."""
    return lambda ours, theirs: float((np.abs(ours - theirs) <= tolerance).mean())


def numbered(stem: str, first: int, last: int) -> tuple[str, ...]:
    """Name the columns of a group."""
    return tuple(f"{stem}_{i}" for i in range(first, last + 1))


GOALS = (
    Goal("F0 within 0.5 Hz", ("F0",), share_within(0.5), 0.99),
    Goal("VUV", ("VUV",), share_within(0.0), 0.995),
    Goal("NAQ", ("NAQ",), correlation, 0.99),
    Goal("QOQ", ("QOQ",), correlation, 0.99),
    Goal("H1H2", ("H1H2",), correlation, 0.99),
    Goal("PSP", ("PSP",), correlation, 0.99),
    Goal("MDQ", ("MDQ",), correlation, 0.99),
    Goal("peakSlope", ("peakSlope",), correlation, 0.999),
    Goal("Rd", ("Rd",), correlation, 0.98),
    Goal("Rd_conf", ("Rd_conf",), correlation, 0.98),
    Goal("MCEP_0..24", numbered("MCEP", 0, 24), correlation, 0.999),
    Goal("HMPDM_4..23, circular", numbered("HMPDM", 4, 23), circular_correlation, 0.98),
    Goal("HMPDD_0..12", numbered("HMPDD", 0, 12), correlation, 0.95),
)


def recordings(folder: Path) -> Iterator[Recording]:
    """Read every recording that has reference output."""
    for path in sorted(folder.glob("*.npz")):
        _, samples = scipy.io.wavfile.read(path.with_suffix(".wav"))
        with np.load(path, allow_pickle=False) as stored:
            output = {key: stored[key] for key in stored.files}
        yield Recording(path.stem, (samples / 32768).astype(np.float32), output)


def dropped_frames(recording: Recording) -> bool:
    """Tell whether COVAREP dropped frames, which misplaces all cepstra of a file."""
    return len(recording.output["MCEP"]) < len(recording.output["srh_time"])


def silence_analysed(recording: Recording) -> bool:
    """Tell whether COVAREP analysed digital silence as a voice of 1 Hz, which spoils its phases."""
    output = recording.output
    kept = np.round((output["rds"][:, 0] - output["srh_time"].ravel()[0]) / 0.01).astype(int)
    return bool((output["srh_f0_raw"].ravel()[kept] == 1).any())


def comparable(recording: Recording, goal: Goal) -> bool:
    """Tell whether COVAREP's own output for a recording means anything."""
    if goal.label.startswith("MCEP"):
        return not dropped_frames(recording)
    if goal.label.startswith(("Rd", "HMPD")):
        return not silence_analysed(recording)
    return True


def columns_of(recording: Recording, goal: Goal) -> Iterator[tuple[Array, Array]]:
    """Our column and COVAREP's, for every column of a goal."""
    found = acoustic_features(signal=recording.signal, config=AcousticConfig())
    # infinities, next to digital silence, count as missing
    theirs = np.nan_to_num(recording.output["features"], posinf=0.0, neginf=0.0)
    names = recording.output["names"].tolist()
    for name in goal.columns:
        yield found.values[:, found.names.index(name)], theirs[:, names.index(name)]


def instants_found(recording: Recording) -> float:
    """Share of COVAREP's closure instants of which one of ours lies within a sample."""
    signal = recording.signal * np.float32(signal_polarity(signal=recording.signal))
    track = track_pitch(residual=lp_residual(signal=signal, order=12))
    residual = lp_residual(signal=signal, order=18)
    ours = closure_instants(signal=signal, residual=residual, track=track)
    theirs = recording.output["GCI"].ravel()
    nearest = np.abs(theirs[:, None] - ours[None]).min(axis=1)
    return float((nearest <= 1).mean())


def accuracy_table(all_recordings: Sequence[Recording]) -> tuple[Table, bool]:
    """Compare every column with COVAREP's."""
    table = Table(title=f"Against COVAREP, {len(all_recordings)} recordings")
    for heading in ("measure", "files", "worst file", "pooled, worst column", "goal", ""):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    shares = [instants_found(recording) for recording in all_recordings]
    rows = [("GCI within a sample", len(shares), min(shares), float(np.mean(shares)), 0.99)]
    for goal in GOALS:
        used = [recording for recording in all_recordings if comparable(recording, goal)]
        pairs = [list(columns_of(recording, goal)) for recording in used]
        worst = np.nanmin([goal.measure(*pair) for one in pairs for pair in one])
        pooled = np.nanmin(
            [
                goal.measure(*(np.concatenate(side) for side in zip(*column, strict=True)))
                for column in zip(*pairs, strict=True)
            ]
        )
        rows.append((goal.label, len(used), float(worst), float(pooled), goal.least))
    for label, files, worst, pooled, least in rows:
        verdict = "[green]ok" if pooled > least else "[red]missed"
        numbers = (f"{worst:.6f}", f"{pooled:.6f}", f"> {least}")
        table.add_row(label, str(files), *numbers, verdict)
    table.caption = (
        "MCEP without files in which COVAREP dropped frames, Rd and HMPD without those in which "
        "it analysed digital silence: there its rows are misplaced or meaningless."
    )
    return table, all(pooled > least for *_, pooled, least in rows)


def speech(seconds: float, material: Array) -> Array:
    """Repeat speech to a wanted length."""
    count = int(seconds * SAMPLE_RATE)
    return np.tile(material, -(-count // len(material)))[:count]


def cost_table(material: Array, lengths: Sequence[int]) -> tuple[Table, bool]:
    """Measure processor time a second of sound for growing lengths."""
    table = Table(title="Cost on one core")
    for heading in ("sound", "CPU s / s", "x real time", "x COVAREP", "beside the shortest"):
        table.add_column(heading, justify="right")
    acoustic_features(signal=speech(2, material), config=AcousticConfig())
    costs: list[float] = []
    for seconds in lengths:
        sound = speech(seconds, material)
        repeats = max(1, 60 // seconds)
        started = time.process_time()
        for _ in range(repeats):
            acoustic_features(signal=sound, config=AcousticConfig())
        costs.append((time.process_time() - started) / seconds / repeats)
        table.add_row(
            f"{seconds} s",
            f"{costs[-1]:.4f}",
            f"{1 / costs[-1]:.1f}",
            f"{COVAREP_COST / costs[-1]:.0f}",
            f"{costs[-1] / costs[0] - 1:+.1%}",
        )
    return table, max(costs) <= 0.12


def peak_memory(seconds: float, material: Array) -> float:
    """Peak memory in GB of this process after analysing a sound of a length."""
    acoustic_features(signal=speech(seconds, material), config=AcousticConfig())
    # ru_maxrss would include the process that started this one
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e6


def main() -> int:
    """Print the tables.

    Returns
    -------
    int
        0 if every goal was reached, for the exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, metavar="S")
    parser.add_argument("--hour", action="store_true", help="measure the memory of an hour instead")
    arguments = parser.parse_args()
    console = Console()
    folder = os.environ.get("WINNOW_REFERENCE")
    found = list(recordings(Path(folder, "reference", "acoustic"))) if folder else []
    if found:
        material = np.concatenate([recording.signal for recording in found])
    else:
        clips = sorted(SAMPLES.glob("*.mp4"))[:3]
        material = np.concatenate([Media(path=p).audio(sample_rate=SAMPLE_RATE) for p in clips])
    with threadpool_limits(limits=1):
        if arguments.hour:
            console.print(f"peak memory of an hour: {peak_memory(HOUR, material):.2f} GB")
            return 0
        good = []
        if found:
            table, reached = accuracy_table(found)
            console.print(table)
            good.append(reached)
        table, reached = cost_table(material, arguments.lengths)
        console.print(table)
        good.append(reached)
    command = [sys.executable, "-m", "benchmarks.acoustic", "--hour"]
    console.print(subprocess.run(command, check=True, text=True, capture_output=True).stdout)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
