"""The training of a seed, written down for another process."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter

import models.base
from pipeline.dataset import PackedDataset
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig
from pipeline.training_here import train_here
from pipeline.training_state import EpochRecord


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """What a process needs to know to train a seed.

    Parameters
    ----------
    dataset : Path
        A stored data set.
    split : Split
        Of the data set.
    model_name : str
        Registered name.
    model_module : str
        The module that registers it.
    model_config : dict
        Hyper-parameters, plain JSON values.
    config : TrainingConfig
        How to train.
    seed : int
        The seed.
    folder : Path
        Of the seed.
    threads : int
        Of torch; sums on a CPU depend on it in their last bits.
    """

    dataset: Path
    split: Split
    model_name: str
    model_module: str
    model_config: dict[str, Any]
    config: TrainingConfig
    seed: int
    folder: Path
    threads: int

    def as_json(self) -> str:
        """Write as one line of JSON.

        Returns
        -------
        str
            For :meth:`from_json`.
        """
        return TypeAdapter(TrainingJob).dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "TrainingJob":
        """Read what :meth:`as_json` wrote.

        Parameters
        ----------
        text : str
            JSON.

        Returns
        -------
        TrainingJob
            The same.
        """
        return TypeAdapter(TrainingJob).validate_json(text)

    def run(self, on_epoch: Callable[[EpochRecord], None] | None = None) -> None:
        """Train in this process; what comes of it is in the folder.

        Parameters
        ----------
        on_epoch : callable, optional
            Called after each epoch.

        Raises
        ------
        PipelineError
            As of :func:`pipeline.training.train_seed`.
        """
        torch.set_num_threads(self.threads)
        importlib.import_module(self.model_module)
        train_here(
            dataset=PackedDataset.load(self.dataset),
            split=self.split,
            model_name=self.model_name,
            model_config=self.model_config,
            config=self.config,
            seed=self.seed,
            folder=self.folder,
            on_epoch=on_epoch,
        )


@contextmanager
def stored_jobs(
    *,
    dataset: PackedDataset,
    split: Split,
    model_name: str,
    model_config: dict[str, Any],
    config: TrainingConfig,
    folders: Mapping[int, Path],
) -> Iterator[list[TrainingJob]]:
    """Write a data set where other processes find it, for as long as they train on it.

    Parameters
    ----------
    dataset, split, model_name, model_config, config
        As for :func:`pipeline.training.train_seed`.
    folders : mapping of int to Path
        Seed to its folder, one at least.

    Yields
    ------
    list of TrainingJob
        One a seed.
    """
    first = next(iter(folders.values())).absolute()
    path = first / "data.safetensors"
    try:
        dataset.save(path)
        yield [
            TrainingJob(
                dataset=path,
                split=split,
                model_name=model_name,
                model_module=models.base.get(model_name).__module__,
                model_config=model_config,
                config=config,
                seed=seed,
                folder=folder.absolute(),
                threads=torch.get_num_threads(),
            )
            for seed, folder in folders.items()
        ]
    finally:
        path.unlink(missing_ok=True)
