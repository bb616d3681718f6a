"""Training: one seed of one model, or several at a time, resumable at any instant."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.checkpoint import plain_model_config
from pipeline.dataset import PackedDataset
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig
from pipeline.training_followers import publish
from pipeline.training_here import stored_result, train_here
from pipeline.training_job import stored_jobs
from pipeline.training_processes import run_ranks, run_side_by_side
from pipeline.training_ranks import rank, started_ranks
from pipeline.training_state import EpochRecord, SeedResult


def train_seed(
    *,
    dataset: PackedDataset,
    split: Split,
    model_name: str,
    model_config: Any,
    config: TrainingConfig,
    seed: int,
    folder: Path,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> SeedResult:
    """Train one model; go on where an earlier call was stopped, within an epoch too.

    Everything random is drawn from a generator seeded by seed and epoch, so on a CPU an
    interrupted training ends in the same weights, bit for bit, as one that was not. The test
    split is not touched, unless it shall select the epoch. For several devices as many processes
    are started, unless torchrun has started them.

    Parameters
    ----------
    dataset : PackedDataset
        With labels.
    split : Split
        Labelled utterances of ``train`` are learned from, those of ``valid`` select the epoch, or
        for ``test_oracle`` those of ``test``; unlabelled ones, for a ``split_rate``, come from
        outside of ``valid`` and ``test``.
    model_name : str
        Registered name.
    model_config : mapping or instance of the model's ``Config``
        Hyper-parameters.
    config : TrainingConfig
        How to train; ``seeds`` and ``seeds_at_once`` are not used.
    seed : int
        Of initial weights, order and dropout.
    folder : Path
        Receives ``model.safetensors`` and ``result.json``, and ``state.safetensors`` until then.
    on_epoch : callable, optional
        Called after each epoch is saved.

    Returns
    -------
    SeedResult
        Of this call, or the stored one if the training was finished before.

    Raises
    ------
    ConfigError
        If the model's configuration is not valid or there is no such device.
    DataError
        If there are too few labelled utterances.
    RunError
        If the folder holds another training, or the loss is no number any more.
    StoreError
        If a stored file is damaged.
    """
    chosen: dict[str, Any] = {
        "dataset": dataset,
        "split": split,
        "model_name": model_name,
        "model_config": plain_model_config(model_name, model_config),
        "config": config,
    }
    result = stored_result(**chosen, seed=seed, folder=folder)
    if result is not None:
        return result
    if config.ranks == 1 or rank() > 0:
        return train_here(**chosen, seed=seed, folder=folder, on_epoch=on_epoch)
    with stored_jobs(**chosen, folders={seed: folder}) as (job,):
        if started_ranks() > 1:
            publish(job)
            return train_here(**chosen, seed=seed, folder=folder, on_epoch=on_epoch)
        run_ranks(job, on_epoch=on_epoch)
    return SeedResult.load(folder / "result.json")


def train_seeds(
    *,
    dataset: PackedDataset,
    split: Split,
    model_name: str,
    model_config: Any,
    config: TrainingConfig,
    folder: Path,
    on_epoch: Callable[[int, EpochRecord], None] | None = None,
) -> dict[int, SeedResult]:
    """Train all seeds of a configuration, ``seeds_at_once`` of them at the same time.

    Seeds know nothing of each other: what comes of one is the same whether or not others are
    trained beside it, on a CPU bit for bit. One that fails does not stop the others.

    Parameters
    ----------
    dataset, split, model_name, model_config
        As for :func:`train_seed`.
    config : TrainingConfig
        How to train, with the seeds.
    folder : Path
        Each seed has its folder ``seed-<seed>`` within.
    on_epoch : callable, optional
        Called with seed and epoch after each epoch is saved, always in this thread.

    Returns
    -------
    dict of int to SeedResult
        By seed, in the order of the configuration.

    Raises
    ------
    PipelineError
        As of :func:`train_seed`, after the other seeds are done.
    """
    chosen: dict[str, Any] = {
        "dataset": dataset,
        "split": split,
        "model_name": model_name,
        "model_config": plain_model_config(model_name, model_config),
        "config": config,
    }
    folders = {seed: folder / f"seed-{seed}" for seed in config.seeds}
    if config.seeds_at_once > 1:
        left = {
            seed: own
            for seed, own in folders.items()
            if stored_result(**chosen, seed=seed, folder=own) is None
        }
        if len(left) > 1:
            with stored_jobs(**chosen, folders=left) as jobs:
                run_side_by_side(jobs, at_once=config.seeds_at_once, on_epoch=on_epoch)
    return {
        seed: train_seed(
            **chosen,
            seed=seed,
            folder=own,
            on_epoch=None if on_epoch is None else partial(on_epoch, seed),
        )
        for seed, own in folders.items()
    }
