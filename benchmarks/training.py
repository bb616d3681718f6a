"""Speed and memory of training on data shaped like CMU-MOSEI: ``make bench-train``.

``loop`` times steps of MInD, MISA and MulT, with stored text features and with a BERT of the size
of BERT-base that is fine-tuned (of random weights, made here), and compares them with the floor
that :mod:`benchmarks.training_floor` describes. ``growth`` times whole epochs of more clips.
``data`` packs all clips and gathers batches from the device and from the host. ``mmsa`` trains the
same models with MMSA's own loop on the same file, in turns, where ``--mmsa`` names the Python of an
environment that has it. Every measurement is a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml
from pydantic_core import to_json
from rich.console import Console
from rich.table import Table

from benchmarks.mosei_shape import CLIPS, write_packed, write_pickle
from benchmarks.training_bert import write_bert_base
from benchmarks.training_case import Case
from pipeline.atomic import write_text

CONFIGS = Path(__file__).parents[1] / "configs"
MODELS = ("mind", "misa", "mult")
PARTS = ("loop", "growth", "data", "mmsa")
#: Time a clip may be so much larger with 16 times the clips.
MOST_GROWTH = 1.1
#: With frames as MMSA reads them; by default our models average some of them.
EVERY_FRAME = {"audio_stride": 1, "vision_stride": 1}
#: Model to our settings, beside the published ones, that make it the model that MMSA trains.
COMPARED: dict[str, dict[str, Any]] = {
    "lf_dnn": {},
    "tfn": {},
    "mult": EVERY_FRAME,
    "misa": {**EVERY_FRAME, "mmsa_lengths": True},
}


def published(model: str, *, text_model: str | None, training: dict[str, Any]) -> dict[str, Any]:
    """Read what is published for CMU-MOSEI, with another text encoder and batch size."""
    stored = yaml.safe_load((CONFIGS / f"{model}_mosei.yaml").read_text())
    settings = {**stored["model"].get("settings", {}), "text_model": text_model}
    if text_model is None:
        del settings["text_model"]
    return {"model": model, "settings": settings, "training": training}


class Bench:
    """Measurements with the options of a call.

    Parameters
    ----------
    options : argparse.Namespace
        As :func:`parse` gives them.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder: Path = options.folder
        self.console = Console()
        self.found: dict[str, Any] = {}
        on_gpu = torch.cuda.is_available() and options.device != "cpu"
        self.training = {
            "device": "cuda" if on_gpu else "cpu",
            "precision": options.precision,
            "min_batch": 2,
        }
        self.bert_batch = options.batch_size if on_gpu else max(options.batch_size // 4, 2)

    def bert(self) -> str:
        """Write the text encoder."""
        return str(write_bert_base(self.folder / "bert-base"))

    def packed(self, clips: int, *, pieces: bool = False) -> Path:
        """Write data to train on."""
        name = f"{'pieces' if pieces else 'features'}-{clips}.safetensors"
        return write_packed(self.folder / name, clips, pieces=pieces)

    def case(self, case: Case) -> dict[str, Any]:
        """Measure one case."""
        given = to_json(replace(case, threads=self.options.threads)).decode()
        return self._process([sys.executable, "-m", "benchmarks.training_case", given])

    def _process(self, command: Sequence[str]) -> dict[str, Any]:
        threads = {"OMP_NUM_THREADS": str(self.options.threads)}
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | threads,
            cwd=Path(__file__).parents[1],
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def save(self) -> None:
        """Keep what was measured so far, where that was asked for."""
        if self.options.output is not None:
            write_text(self.options.output, json.dumps(self.found, indent=1))

    def loop(self) -> None:
        """Time steps, beside the floor."""
        table = Table(
            "model", "text", "weights", "batch", "clips/s", "ms a step", "GFLOP", "MB moved",
            "floor ms", "of the floor", "peak MB",
            title="Steps of training",
            caption="floor: the larger of FLOP at the rate of a large matrix product and bytes at "
            "the rate of a large copy; FLOP counted by torch, bytes are weights 2x, gradients 2x, "
            "AdamW 6x, what autograd keeps 2x, the batch 3x",
        )  # fmt: skip
        rows = self.found.setdefault("loop", [])
        for model in self.options.models:
            for text in self.options.texts:
                found = self._loop_case(model, text)
                rows.append({"model": model, "text": text, **found})
                table.add_row(*_loop_row(model, text, found))
                self.save()
        machine = rows[-1]
        table.title = (
            f"Steps of training; {machine['flops'] / 1e9:.0f} GFLOP/s, "
            f"{machine['bandwidth'] / 1e9:.1f} GB/s, {self.options.threads} threads"
        )
        self.console.print(table)

    def _loop_case(self, model: str, text: str) -> dict[str, Any]:
        tuned = text == "fine-tuned"
        batch = self.bert_batch if tuned else self.options.batch_size
        steps = max(self.options.steps // (1 if self.bert_batch == batch else 3), 2)
        known = published(
            model,
            text_model=self.bert() if tuned else None,
            training={**self.training, "batch_size": batch},
        )
        data = self.packed(self.options.clips, pieces=tuned)
        return self.case(Case(data=data, **known, steps=steps, warm_up=2, floor=True))

    def growth(self) -> None:
        """Time whole epochs as there are more clips."""
        model, sizes = self.options.growth_model, self.options.sizes
        table = Table(
            "clips", "ms a clip", f"of that with {sizes[0]}", "set up in s",
            title=f"Whole epochs of {model} as clips are more; goal {MOST_GROWTH}",
        )  # fmt: skip
        cases = {
            clips: Case(
                data=self.packed(clips),
                **published(
                    model,
                    text_model=None,
                    training={**self.training, "batch_size": self.options.batch_size},
                ),
                epochs=1,
            )
            for clips in sizes
        }
        found: dict[int, list[dict[str, Any]]] = {clips: [] for clips in sizes}
        for _ in range(self.options.rounds):
            for clips, case in cases.items():
                found[clips].append(self.case(case))
        best = {n: min(one["seconds_a_clip"] for one in runs) for n, runs in found.items()}
        for clips, seconds in best.items():
            ratio = seconds / best[sizes[0]]
            setup = min(one["setup_seconds"] for one in found[clips])
            table.add_row(str(clips), f"{1e3 * seconds:.2f}", f"{ratio:.2f}", f"{setup:.1f}")
        self.console.print(table)
        self.found["growth"] = {"model": model, "seconds_a_clip": best}

    def data(self) -> None:
        """Pack, load and gather."""
        command = [sys.executable, "-m", "benchmarks.training_data", str(self.options.clips)]
        found = self._process([*command, str(self.options.batch_size)])
        table = Table("what", "", title=f"Data of {self.options.clips} clips")
        for name, value in found.items():
            table.add_row(name, f"{value:,.2f}")
        self.console.print(table)
        self.found["data"] = found

    def mmsa(self) -> None:
        """Train what MMSA trains, on its file, in turns with it."""
        if self.options.mmsa is None:
            self.console.print("mmsa: left out; --mmsa names the Python of an environment with it")
            return
        table = Table(
            "model", "batch", "clips/s", "MMSA's", "ratio", "peak MB", "MMSA's", "weights",
            "MMSA's",
            title=f"Beside MMSA's loop; {self.options.threads} threads, "
            f"{self.options.mmsa_workers} workers of its DataLoader",
        )  # fmt: skip
        rows = self.found.setdefault("mmsa", [])
        for model in self.options.compared:
            ours, theirs = self._duel(model)
            ratio = theirs["seconds_a_clip"] / ours["seconds_a_clip"]
            rows.append({"model": model, "ours": ours, "mmsa": theirs, "ratio": ratio})
            self.save()
            table.add_row(
                model, str(ours["batch_size"]), *(f"{1 / one['seconds_a_clip']:.2f}"
                for one in (ours, theirs)), f"{ratio:.2f}", *(f"{one['peak_bytes'] / 1e6:.0f}"
                for one in (ours, theirs)), *(f"{one['parameters']:,}" for one in (ours, theirs)),
            )  # fmt: skip
        self.console.print(table)

    def _duel(self, model: str) -> tuple[dict[str, Any], dict[str, Any]]:
        tuned = model == "misa"
        batch = self.bert_batch
        path = write_pickle(self.folder / f"{self.options.mmsa_clips}.pkl", self.options.mmsa_clips)
        steps = max(self.options.steps // 3, 2)
        known = published(
            model,
            text_model=self.bert() if tuned else None,
            training={**self.training, "batch_size": batch},
        )
        known["settings"] |= COMPARED[model]
        case = Case(data=path, **known, steps=steps, pieces=tuned)
        their_settings: dict[str, Any] = {"batch_size": batch, "update_epochs": 1}
        if tuned:
            their_settings["pretrained"] = self.bert()
        theirs = {
            "model": model,
            "data": str(path),
            "settings": their_settings,
            "steps": steps,
            "warm_up": case.warm_up,
            "threads": self.options.threads,
            "workers": self.options.mmsa_workers,
        }
        script = str(Path(__file__).with_name("mmsa_loop.py"))
        both: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
        for _ in range(self.options.rounds):
            both[0].append(self.case(case))
            both[1].append(self._process([self.options.mmsa, script, json.dumps(theirs)]))
        return _middle(both[0]), _middle(both[1])


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return runs[0] | {
        name: median(one[name] for one in runs) for name in ("seconds_a_clip", "peak_bytes")
    }


def _loop_row(model: str, text: str, found: dict[str, Any]) -> list[str]:
    seconds = found["seconds_a_clip"] * found["batch_size"]
    return [
        model,
        text,
        f"{found['parameters'] / 1e6:.1f}M",
        str(found["batch_size"]),
        f"{1 / found['seconds_a_clip']:.1f}",
        f"{1e3 * seconds:.1f}",
        f"{found['flop'] / 1e9:.1f}",
        f"{found['moved'] / 1e6:.0f}",
        f"{1e3 * found['floor_seconds']:.1f}",
        f"{found['floor_seconds'] / seconds:.0%}",
        f"{found['peak_bytes'] / 1e6:.0f}",
    ]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the options of a call; ``--quick`` only changes defaults."""
    quick = argparse.ArgumentParser(add_help=False)
    quick.add_argument("--quick", action="store_true", help="a few minutes on two cores")
    is_quick = quick.parse_known_args(arguments)[0].quick

    def chosen(full: Any, short: Any) -> Any:
        return short if is_quick else full

    parser = argparse.ArgumentParser(parents=[quick], description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--texts", nargs="+", default=("stored", "fine-tuned"))
    parser.add_argument("--clips", type=int, default=chosen(CLIPS, 512))
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=chosen(12, 3))
    parser.add_argument("--rounds", type=int, default=chosen(3, 1))
    parser.add_argument("--growth-model", default="misa")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=chosen((1024, 4096, CLIPS), (256, 1024))
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--precision", default=32, type=lambda text: text if text == "bf16" else 32)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--mmsa", metavar="PYTHON", help="of an environment with MMSA 2.2.1")
    parser.add_argument("--mmsa-clips", type=int, default=chosen(2048, 256))
    parser.add_argument("--mmsa-workers", type=int, default=0)
    parser.add_argument("--compared", nargs="+", choices=COMPARED, default=tuple(COMPARED))
    parser.add_argument("--folder", type=Path, help="keeps the data for the next time")
    parser.add_argument("--output", type=Path, help="receives the numbers as JSON")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure what was asked for."""
    options = parse()
    with tempfile.TemporaryDirectory() as temporary:
        options.folder = Path(temporary) if options.folder is None else options.folder.resolve()
        options.folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(options)
        for part in options.only:
            measured: Callable[[], None] = getattr(bench, part)
            measured()
            bench.save()


if __name__ == "__main__":
    main()
