"""Registered models on data sets of the field, printed as tables: ``make bench-models``.

``text`` fine-tunes the BERT inside the package on CMU-MOSI's sentences, standard split. ``vectors``
trains every model on one vector a modality and utterance of CMU-MOSI, on the split that they were
published with; some of these vectors were themselves trained on labels, so the numbers only say
that a model trains. ``sequences`` trains every model that needs no text on ICT-MMMO's audio and
video. ``intents`` fine-tunes the same BERT on MIntRec's sentences, 20 classes, standard split. All
read the folder that ``WINNOW_REFERENCE`` names, and print nothing without it.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from models.base import available, get
from models.errors import ModelError
from pipeline.category_metrics import CATEGORY_NAMES
from pipeline.dataset import PackedDataset
from pipeline.errors import ConfigError
from pipeline.fingerprint import settings_digest
from pipeline.foreign_data import foreign_classes, load_foreign
from pipeline.formats.packing import pack_utterances
from pipeline.formats.text_table import TextTable
from pipeline.formats.text_tokens import with_token_ids
from pipeline.formats.utterance import Utterance, rows_of
from pipeline.published_comparison import in_our_units, our_metric, published_of
from pipeline.report import RunReport
from pipeline.runs import train_run
from pipeline.splits import SPLIT_NAMES, Split
from pipeline.training_config import TrainingConfig

Data = tuple[PackedDataset, Split]

#: Widths and depths for a few hundred clips, where a model has such a setting; the same for all.
SMALL = {"width": 64, "layers": 2, "audio_stride": 1, "vision_stride": 1}
COLUMNS = ("mae", "correlation", "accuracy_2_has0", "accuracy_2_non0", "accuracy_7")
#: Fine-tuning at 5e-5, everything else at 1e-3, at most 8 passes.
TEXT_TRAINING = {
    "sorted_batches": 8,
    "max_epochs": 8,
    "learning_rate": 1e-3,
    "patience": 8,
    "plateau": 8,
}
#: The same rates; twenty classes of a few dozen sentences each take more passes.
INTENT_TRAINING = TEXT_TRAINING | {"max_epochs": 25}
#: What MIntRec's authors call their BERT without audio and video.
TEXT_CLASSIFIER = "Text-classifier"
TRAINING = {"max_epochs": 20, "learning_rate": 1e-3, "patience": 6, "plateau": 3}


def texts(folder: Path) -> Data:
    """CMU-MOSI's sentences as word pieces."""
    path = folder / "datasets" / "mosi" / "mosi_labels_text.csv"
    utterances = with_token_ids(TextTable().read(path), text_model="minilm")
    return pack_utterances(utterances, digest=settings_digest({"data": path.name}))


def vectors(folder: Path) -> Data:
    """One vector a modality and utterance, as sequences of length one."""
    with np.load(folder / "datasets" / "mosi" / "mosi_utt_poria.npz") as file:
        arrays = {name: file[name] for name in ("id", "split_poria", "label", "text", "audio")}
        arrays["vision"] = file["video"]
    return pack_utterances(_of_vectors(arrays), digest=settings_digest({"data": "vectors"}))


def _of_vectors(arrays: Mapping[str, Any]) -> Iterator[Utterance]:
    splits = _with_validation(arrays["split_poria"], arrays["id"])
    for i, name in enumerate(arrays["id"]):
        yield Utterance(
            video=str(name),
            split=splits[i],
            label=float(arrays["label"][i]),
            features={
                modality: rows_of(arrays[modality][i][None], modality=modality)
                for modality in ("text", "audio", "vision")
            },
        )


def _with_validation(splits: Any, names: Any) -> list[str]:
    """Take every eighth training video for validation where a split has none."""
    found = [str(split) for split in splits]
    if "valid" in found:
        return found
    videos = sorted(
        {str(n).rpartition("_")[0] for n, s in zip(names, found, strict=True) if s == "train"}
    )
    held = set(videos[::8])
    return [
        "valid" if split == "train" and str(name).rpartition("_")[0] in held else split
        for name, split in zip(names, found, strict=True)
    ]


def sequences(folder: Path) -> Data:
    """ICT-MMMO's audio and video; its marks of 1 to 5 become -2 to 2."""
    return pack_utterances(
        _of_sequences(folder / "datasets" / "mmmo"), digest=settings_digest({"data": "mmmo"})
    )


def _of_sequences(folder: Path) -> Iterator[Utterance]:
    for split in SPLIT_NAMES:
        audio, vision, marks = (
            _array(folder / f"{name}_{split}.h5") for name in ("audio", "video", "y")
        )
        for i, mark in enumerate(marks):
            yield Utterance(
                video=f"{split}_{i}",
                split=split,
                label=float(mark) - 3.0,
                features={
                    "audio": rows_of(_unpadded(audio[i]), modality="audio"),
                    "vision": rows_of(_unpadded(vision[i]), modality="vision"),
                },
            )


def _array(path: Path) -> Any:
    with h5py.File(path) as file:
        return file["d1"][()]


def _unpadded(rows: Any) -> Any:
    """Cut the rows of nothing but 0 in front and behind."""
    filled = np.flatnonzero((rows != 0).any(axis=1))
    return rows[filled[0] : filled[-1] + 1] if len(filled) else rows[:0]


def small_settings(model: str) -> dict[str, Any]:
    """Choose a model's settings for little data."""
    there = set(get(model).Config.__dataclass_fields__)
    return {name: value for name, value in SMALL.items() if name in there}


def trained(
    data: Data, model: str, settings: dict[str, Any], training: TrainingConfig, runs: Path
) -> RunReport:
    """Train and evaluate all seeds, or look up what was."""
    dataset, split = data
    return train_run(
        dataset=dataset,
        split=split,
        model_name=model,
        model_config=settings,
        training=training,
        runs_folder=runs,
    )


def new_table(title: str) -> Table:
    """Begin a table of test metrics."""
    table = Table(title=title)
    for number, name in enumerate(("model", *COLUMNS, "seconds")):
        table.add_column(name, justify="right" if number else "left")
    return table


def add_rows(table: Table, report: RunReport, *, constant: bool = False) -> None:
    """Add mean and standard deviation over seeds, and once what always saying the median gives."""
    if constant:
        values = asdict(report.constant["test"])
        table.add_row("constant", *(f"{values[name]:.3f}" for name in COLUMNS), "")
    summary = report.summary["test"]
    cells = [f"{summary[name].mean:.3f} ± {summary[name].sd:.3f}" for name in COLUMNS]
    table.add_row(report.model, *cells, f"{report.timings['train']:.0f}")


def text_table(folder: Path, *, seeds: int, runs: Path) -> Table:
    """Text alone with its BERT fine-tuned."""
    data = texts(folder)
    counts = " / ".join(str(len(getattr(data[1], name))) for name in SPLIT_NAMES)
    table = new_table(f"CMU-MOSI, sentences alone, {counts} utterances, {seeds} seeds")
    training = TrainingConfig(seeds=tuple(range(seeds)), **TEXT_TRAINING)
    report = trained(data, "text_only", {"text_model": "minilm"}, training, runs)
    add_rows(table, report, constant=True)
    return table


def intents_table(folder: Path, *, seeds: int, runs: Path) -> Table:
    """MIntRec's sentences alone with their BERT fine-tuned, seeds apart and together."""
    path = folder / "datasets" / "mintrec"
    classes = foreign_classes(path)
    data = load_foreign(path, classes=classes, text_model="minilm")
    training = TrainingConfig(seeds=tuple(range(seeds)), **INTENT_TRAINING)
    settings = {"text_model": "minilm", "classes": classes}
    report = trained(data, "text_only", settings, training, runs)
    counts = " / ".join(str(len(getattr(data[1], name))) for name in SPLIT_NAMES)
    table = Table(title=f"MIntRec, sentences alone, {counts} utterances, {len(classes)} classes")
    for number, name in enumerate(("text_only", *CATEGORY_NAMES, "seconds")):
        table.add_column(name, justify="right" if number else "left")
    summary = [report.summary["test"][name] for name in CATEGORY_NAMES]
    table.add_row(
        f"{seeds} seeds",
        *(f"{score.mean:.3f} ± {score.sd:.3f}" for score in summary),
        f"{report.timings['train']:.0f}",
    )
    for name, found in (("together", report.ensemble), ("constant", report.constant)):
        table.add_row(name, *(f"{asdict(found['test'])[one]:.3f}" for one in CATEGORY_NAMES), "")
    published = [score for score in published_of("MIntRec") if score.model == TEXT_CLASSIFIER]
    figures = {place.metric: in_our_units(one) for one in published if (place := our_metric(one))}
    table.add_row("published, BERT-base", *(figures.get(name, "") for name in CATEGORY_NAMES), "")
    return table


def zoo_table(title: str, data: Data, *, seeds: int, runs: Path, console: Console) -> Table:
    """Every registered model; those that cannot be used say why."""
    table = new_table(title)
    training = TrainingConfig(seeds=tuple(range(seeds)), **TRAINING)
    first = True
    for model in available():
        try:
            report = trained(data, model, small_settings(model), training, runs)
        except (ConfigError, ModelError) as error:
            console.print(f"{model}: refused: {error}", highlight=False)
            continue
        add_rows(table, report, constant=first)
        first = False
        console.print(f"{model}: done", highlight=False)
    return table


def main() -> int:
    """Print the tables that are asked for; 1 without a folder to read."""
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = ("text", "vectors", "sequences", "intents")
    parser.add_argument("--only", nargs="+", choices=kinds, default=list(kinds))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--runs", type=Path, help="where to keep runs, so that a stopped one goes on"
    )
    options = parser.parse_args()
    console = Console(width=120)
    reference = os.environ.get("WINNOW_REFERENCE")
    if not reference:
        console.print("WINNOW_REFERENCE names no folder: nothing to read")
        return 1
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    with tempfile.TemporaryDirectory() as scratch:
        runs = options.runs or Path(scratch)
        asked = {"seeds": options.seeds, "runs": runs}
        if "text" in options.only:
            console.print(text_table(Path(reference), **asked))
        if "vectors" in options.only:
            title = "CMU-MOSI, one vector a modality, published split"
            console.print(zoo_table(title, vectors(Path(reference)), **asked, console=console))
        if "sequences" in options.only:
            title = "ICT-MMMO, audio and video, marks - 3"
            console.print(zoo_table(title, sequences(Path(reference)), **asked, console=console))
        if "intents" in options.only:
            console.print(intents_table(Path(reference), **asked))
    return 0


if __name__ == "__main__":
    sys.exit(main())
