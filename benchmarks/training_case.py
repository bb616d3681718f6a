"""One measurement of the training loop, in a process of its own, for :mod:`benchmarks.training`."""

import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

from benchmarks.mosei_shape import OTHERS, as_word_pieces
from benchmarks.training_floor import count_work, measure_machine
from pipeline.batching import make_batches
from pipeline.checkpoint import build_model, plain_model_config
from pipeline.dataset import PackedDataset
from pipeline.formats.convert import ForeignDataset
from pipeline.formats.packing import pack_utterances
from pipeline.randomness import seeded
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig, choose_device
from pipeline.training_loop import TrainingLoop


class Enough(Exception):  # noqa: N818 - it is no error
    """As many steps as were wanted."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is measured.

    Parameters
    ----------
    data : Path
        Packed data set, or a pickle as MMSA reads it.
    model : str
        Registered name.
    settings : dict
        Of the model.
    training : dict
        Of the loop.
    steps, warm_up : int
        How many are measured, after how many that are not.
    epochs : int
        If not 0, whole epochs are measured instead of steps, after one that is not.
    pieces : bool
        Whether a pickle's word pieces take the place of its text features.
    floor : bool
        Whether operations and bytes are counted, and the machine is measured.
    threads : int
        Of torch on a CPU.
    """

    data: Path
    model: str
    settings: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    steps: int = 10
    warm_up: int = 2
    epochs: int = 0
    pieces: bool = False
    floor: bool = False
    threads: int = 1


class StepClock:
    """Times steps as they end; the process stops at the last one.

    Parameters
    ----------
    steps, warm_up : int
        How many are measured, after how many that are not.
    """

    def __init__(self, *, steps: int, warm_up: int) -> None:
        self.steps, self.warm_up = steps, warm_up
        self.ends: list[float] = []
        self.count = 0

    def __call__(self, *_: Any) -> None:
        """End a step."""
        self.count += 1
        first, last = self.count == self.warm_up, self.count == self.warm_up + self.steps
        if torch.cuda.is_available() and (first or last):
            torch.cuda.synchronize()
        if self.count >= self.warm_up:
            self.ends.append(time.perf_counter())
        if last:
            raise Enough

    @property
    def seconds(self) -> float:
        """Mean time of a step."""
        return (self.ends[-1] - self.ends[0]) / self.steps


def load(case: Case) -> tuple[PackedDataset, Split]:
    """Open the data, of which the last 32 are not to learn from."""
    if case.data.suffix == ".pkl":
        read = ForeignDataset(case.data, "mmsa")
        chosen = (as_word_pieces(one) for one in read) if case.pieces else read
        return pack_utterances(chosen, digest="benchmark")
    dataset = PackedDataset.load(case.data)
    train, others = dataset.ids[: -2 * OTHERS], dataset.ids[-2 * OTHERS :]
    split = Split(
        train=train, valid=others[:OTHERS], test=others[OTHERS:], group_by="given", source="given"
    )
    return dataset, split


def measure(case: Case) -> dict[str, Any]:
    """Build a model and train it for some steps.

    Parameters
    ----------
    case : Case
        What.

    Returns
    -------
    dict
        Seconds a step and an utterance, peak memory, and what was counted.
    """
    torch.set_num_threads(case.threads)
    config = TrainingConfig(
        **{"max_epochs": 1000, "patience": 1000, "seeds": (0,), **case.training}
    )
    device = choose_device(config.device)
    dataset, split = load(case)
    started = time.perf_counter()
    with seeded(0):
        plain = plain_model_config(case.model, case.settings)
        model = build_model(case.model, plain, dataset.dimensions)
        loop = TrainingLoop(model=model, dataset=dataset, split=split, config=config, device=device)
    found: dict[str, Any] = {
        "setup_seconds": time.perf_counter() - started,
        "parameters": sum(p.numel() for p in model.parameters()),
        "clips": len(split.train),
        "batch_size": config.batch_size,
    }
    found["seconds_a_clip"] = _epochs(case, loop) if case.epochs else _steps(case, loop)
    found["peak_bytes"] = peak_bytes()
    if case.floor:
        found |= _floor(loop, config)
    return found


def _steps(case: Case, loop: TrainingLoop) -> float:
    clock = StepClock(steps=case.steps, warm_up=case.warm_up)
    loop.optimizer.register_step_post_hook(clock)
    _run(loop)
    return clock.seconds / loop.config.batch_size


def _epochs(case: Case, loop: TrainingLoop) -> float:
    seconds: list[float] = []

    def on_epoch(record: Any) -> None:
        seconds.append(record.seconds)
        if len(seconds) > case.epochs:
            raise Enough

    _run(loop, on_epoch)
    return statistics.median(seconds[1:]) / len(loop.train)


def _run(loop: TrainingLoop, on_epoch: Any = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            loop.run(folder=Path(folder), settings="benchmark", seed=0, on_epoch=on_epoch)
        except Enough:
            return


def _floor(loop: TrainingLoop, config: TrainingConfig) -> dict[str, float]:
    loop.model.train()
    batches = make_batches(
        index=loop.train, batch_size=config.batch_size, min_batch=config.min_batch, seed=1
    )
    work = count_work(loop, batches[:3])
    dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    machine = measure_machine(loop.train.device, dtype=dtype)
    return {**work._asdict(), **machine._asdict(), "floor_seconds": work.floor(machine)}


def peak_bytes() -> int:
    """Most memory that was taken: of the GPU, or without one of the process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return memory("VmHWM")


def memory(kind: str) -> int:
    """Bytes of a kind of memory of this process, as Linux tells it.

    The system's ``getrusage`` counts what the process that started this one had, too.

    Parameters
    ----------
    kind : str
        ``VmHWM``, the most so far, or ``RssAnon``, what is no page of a file.

    Returns
    -------
    int
        0 where there is no such record.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return int(status.read_text().split(f"{kind}:")[1].split()[0]) * 1024


if __name__ == "__main__":
    asked = TypeAdapter(Case).validate_json(sys.argv[1])
    sys.stdout.write("\n" + json.dumps(measure(asked)) + "\n")
