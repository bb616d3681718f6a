"""Cost of packing, loading and gathering data, for :mod:`benchmarks.training`."""

import json
import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.mosei_shape import OTHERS, write_packed
from benchmarks.training_case import memory
from pipeline.batching import make_batches
from pipeline.dataset import PackedDataset
from pipeline.dataset_placement import DataPlace, place
from pipeline.dataset_statistics import fit_normaliser
from pipeline.normalise import Normaliser
from pipeline.training_config import choose_device

_BATCHES = 100


def _own() -> float:
    """MiB of memory of this process that is no page of a file."""
    return memory("RssAnon") / 2**20


def _gather(
    dataset: PackedDataset, normaliser: Normaliser, *, data_on: DataPlace, batch_size: int
) -> float:
    """Milliseconds a batch."""
    device = choose_device("auto")
    placed = place(dataset, device=device, data_on=data_on)
    everything = torch.arange(len(dataset) - 2 * OTHERS, device=device)
    batches = make_batches(index=everything, batch_size=batch_size, min_batch=2, seed=0)[:_BATCHES]
    started = time.perf_counter()
    for index in placed.ahead(batches):
        placed.batch(index, normaliser)
    if device == "cuda":
        torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - started) / len(batches)


def main(clips: int, batch_size: int) -> dict[str, float]:
    """Pack, load, measure statistics, gather."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        before, started = memory("VmHWM"), time.perf_counter()
        path = write_packed(Path(folder) / "data.safetensors", clips, pieces=False)
        found["drawn and packed in s"] = time.perf_counter() - started
        found["file in MiB"] = path.stat().st_size / 2**20
        found["most memory while packing in MiB"] = (memory("VmHWM") - before) / 2**20
        before, started = _own(), time.perf_counter()
        dataset = PackedDataset.load(path)
        found["loaded in s"] = time.perf_counter() - started
        found["memory of what is loaded in MiB"] = _own() - before
        before, started = _own(), time.perf_counter()
        kept = place(dataset, device="cpu", data_on="host")
        normaliser = fit_normaliser(kept, torch.arange(len(dataset) - 2 * OTHERS))
        found["statistics in s"] = time.perf_counter() - started
        found["positions of all ids in s"] = _positions(dataset)
        places: tuple[DataPlace, ...] = ("device", "host", "device", "host")
        for where in places:
            name = f"batch of {batch_size} with values on the {where} in ms"
            spent = _gather(dataset, normaliser, data_on=where, batch_size=batch_size)
            found[name] = min(spent, found.get(name, spent))
        found["memory kept after all that in MiB"] = _own() - before
    return found


def _positions(dataset: PackedDataset) -> float:
    started = time.perf_counter()
    dataset.positions(dataset.ids)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))) + "\n")
