"""A small model, small data sets to train it on, and a site on loopback to fetch from."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import models.base
from extractors.sequence import FeatureSequence
from models.base import Losses, Output, SentimentModel
from pipeline import dataset_placement
from pipeline.dataset import PackedDataset
from pipeline.examples import Example
from pipeline.report import RunReport
from pipeline.runs import train_run
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig

WIDTHS = {"text": 6, "audio": 4, "vision": 3}


@dataclass(frozen=True, kw_only=True)
class MaskedMeanConfig:
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    dropout: float = 0.2
    size_weight: float = 0.01


class MaskedMean(SentimentModel):
    """Mean of each modality's valid rows, dropout, one linear layer: small, real and random."""

    name = "masked_mean"
    Config = MaskedMeanConfig

    def __init__(self, config: Any, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        self.dropout = nn.Dropout(self.config.dropout)
        self.linear = nn.Linear(sum(self.dimensions.values()), 1)
        self.steps: list[tuple[int, bool]] = []

    def forward(self, batch):
        self.require_modalities(batch)
        means = []
        for name in self.modalities:
            sequence = batch.sequences[name]
            counts = sequence.mask.sum(1, keepdim=True).clamp(min=1)
            means.append((sequence.values * sequence.mask[..., None]).sum(1) / counts)
        return Output(prediction=self.linear(self.dropout(torch.cat(means, 1))).squeeze(1))

    def losses(self, batch, output, progress):
        error = (output.prediction - batch.target).abs()[batch.has_target].mean()
        terms = {"task": error, "size": output.prediction.square().mean()}
        return Losses(terms=terms, weights={"task": 1.0, "size": self.config.size_weight})

    def after_step(self, batch, output, epoch):
        self.steps.append((epoch, output.prediction.requires_grad))


@pytest.fixture
def masked_mean(monkeypatch: pytest.MonkeyPatch) -> str:
    """Register the small model for one test and return its name."""
    monkeypatch.setitem(models.base._REGISTRY, MaskedMean.name, MaskedMean)
    return MaskedMean.name


def make_sequence(
    *, values: np.ndarray, valid: np.ndarray | None = None, rate: float = 25.0
) -> FeatureSequence:
    start = np.arange(len(values)) / rate
    return FeatureSequence(
        values=values.astype(np.float32),
        times=np.stack([start, start + 1 / rate], axis=1),
        names=tuple(f"c{number}" for number in range(values.shape[1])),
        valid=np.ones(len(values), np.bool_) if valid is None else valid,
    )


def make_examples(*, n: int = 40, seed: int = 0, widths: Mapping[str, int] = WIDTHS) -> list:
    """Utterances whose features carry their label under noise; every fifth has no vision."""
    generator = np.random.default_rng(seed)
    examples = []
    for number in range(n):
        label = round(float(np.clip(generator.normal() * 1.5, -3, 3)), 2)
        features = {}
        for modality, width in widths.items():
            rows = int(generator.integers(3, 12))
            values = generator.standard_normal((rows, width)) + 0.6 * label
            features[modality] = make_sequence(values=values, valid=generator.random(rows) < 0.9)
        if number % 5 == 0:
            features.pop("vision", None)
        examples.append(Example(id=f"u{number:03}", label=label, features=features))
    return examples


@pytest.fixture(scope="session")
def examples() -> Callable[..., list]:
    return make_examples


@pytest.fixture
def dataset() -> PackedDataset:
    return PackedDataset.pack(make_examples(), digest="synthetic")


@pytest.fixture
def split(dataset: PackedDataset) -> Split:
    return Split(train=dataset.ids[:24], valid=dataset.ids[24:32], test=dataset.ids[32:])


@pytest.fixture
def short() -> TrainingConfig:
    return TrainingConfig(
        max_epochs=6, batch_size=8, min_batch=4, learning_rate=0.03, device="cpu", seeds=(0, 1)
    )


@pytest.fixture
def run(
    masked_mean: str,
    dataset: PackedDataset,
    split: Split,
    short: TrainingConfig,
    tmp_path: Path,
) -> Callable[..., RunReport]:
    """Train a run of the small model in ``tmp_path / "runs"``; any argument may be replaced."""

    def train(**changed: Any) -> RunReport:
        chosen = {
            "dataset": dataset,
            "split": split,
            "model_name": masked_mean,
            "model_config": {},
            "training": short,
            "runs_folder": tmp_path / "runs",
        }
        return train_run(**(chosen | changed))

    return train


@pytest.fixture(scope="session")
def finished_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train two small runs, of two seeds and of one, for tests that copy the folder."""
    dataset = PackedDataset.pack(make_examples(), digest="synthetic")
    split = Split(train=dataset.ids[:24], valid=dataset.ids[24:32], test=dataset.ids[32:])
    folder = tmp_path_factory.mktemp("finished") / "runs"
    for seeds in ((0, 1), (0,)):
        training = TrainingConfig(
            max_epochs=3, batch_size=8, min_batch=4, learning_rate=0.03, device="cpu", seeds=seeds
        )
        train_run(
            dataset=dataset,
            split=split,
            model_name="concat",
            model_config={"width": 4, "fusion_width": 4},
            training=training,
            runs_folder=folder,
            context={"data": {"note": "x" * 9000}, "timings": {"pack": 0.5}},
        )
    return folder


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a database of MLflow, to be copied: that takes seconds."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


VTT = "WEBVTT\n\n00:00.000 --> 00:01.000\nHello there.\n"
PAGE = """<!doctype html><html><head><title>{title}</title></head><body>
<video controls><source src="{name}.mp4" type="video/mp4">
<track kind="subtitles" srclang="{language}" src="{name}.vtt"></video></body></html>"""


class Site:
    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address
        self.asked: list[tuple[str, str]] = []

    def videos_sent(self) -> list[str]:
        return [path for method, path in self.asked if method == "GET" and path.endswith(".mp4")]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    asked: list[tuple[str, str]] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            asked.append((self.command, self.path))

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made = Site(folder, f"http://127.0.0.1:{server.server_port}")
    made.asked = asked
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def talk(site: Site, make_clip) -> str:
    """A page with a video and its subtitles."""
    make_clip(path=site.folder / "talk.mp4", seconds=1.0)
    (site.folder / "talk.vtt").write_text(VTT)
    page = PAGE.format(title="A short talk", name="talk", language="en")
    (site.folder / "talk.html").write_text(page)
    return f"{site.address}/talk.html"


@pytest.fixture
def no_room(monkeypatch):
    """A device without room for values, which refuses them."""
    move = PackedDataset.to

    def refuse_values(dataset, device):
        if dataset.value_bytes:
            raise MemoryError(f"{dataset.value_bytes} bytes on {device}")
        return move(dataset, device)

    monkeypatch.setattr(dataset_placement, "_room", lambda device: 0)
    monkeypatch.setattr(PackedDataset, "to", refuse_values)
