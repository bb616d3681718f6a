"""The training of a seed in this process, resumable to the bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.checkpoint import build_model, plain_model_config, save_checkpoint
from pipeline.dataset import PackedDataset
from pipeline.fingerprint import settings_digest
from pipeline.randomness import mixed_seed, seeded
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig, choose_device
from pipeline.training_loop import TrainingLoop
from pipeline.training_ranks import rank
from pipeline.training_state import EpochRecord, SeedResult, TrainingState, check_settings
from pipeline.training_unlabelled import domain_shift


def stored_result(
    *,
    dataset: PackedDataset,
    split: Split,
    model_name: str,
    model_config: Any,
    config: TrainingConfig,
    seed: int,
    folder: Path,
) -> SeedResult | None:
    """Look up what came of a seed that was trained before.

    Parameters
    ----------
    dataset, split, model_name, model_config, config, seed, folder
        As for :func:`pipeline.training.train_seed`.

    Returns
    -------
    SeedResult or None
        None if it was not trained to the end.

    Raises
    ------
    ConfigError
        If the model's configuration is not valid.
    RunError
        If the folder holds another training.
    StoreError
        If the file is damaged.
    """
    path = folder / "result.json"
    if not path.exists():
        return None
    result = SeedResult.load(path)
    wanted = _settings(dataset, split, model_name, model_config, config, seed)
    check_settings(path, found=result.settings, wanted=wanted)
    return result


def _settings(
    dataset: PackedDataset,
    split: Split,
    model_name: str,
    model_config: Any,
    config: TrainingConfig,
    seed: int,
) -> str:
    return settings_digest(
        {
            "model": [model_name, plain_model_config(model_name, model_config)],
            "training": config.identity,
            "data": dataset.digest,
            "split": split.facts(),
            "seed": seed,
        }
    )


def train_here(
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
    """Train one model in this process, as one of several if more than one was started.

    Parameters
    ----------
    dataset, split, model_name, model_config, config, seed, folder, on_epoch
        As for :func:`pipeline.training.train_seed`.

    Returns
    -------
    SeedResult
        Also written to the folder, by the first process alone.

    Raises
    ------
    PipelineError
        As of :func:`pipeline.training.train_seed`.
    """
    plain = plain_model_config(model_name, model_config)
    settings = _settings(dataset, split, model_name, plain, config, seed)
    device = choose_device(config.device)
    if rank() == 0:
        remove_unfinished_writes(folder)
    with seeded(mixed_seed(seed, "weights")):
        model = build_model(model_name, plain, dataset.dimensions)
        loop = TrainingLoop(model=model, dataset=dataset, split=split, config=config, device=device)
        state = loop.run(folder=folder, settings=settings, seed=seed, on_epoch=on_epoch)
    result = _finish(loop, state, seed=seed, device=device)
    if rank() == 0:
        _keep(result, loop, state, folder)
    loop.fabric.barrier()
    return result


def remove_unfinished_writes(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left.

    Parameters
    ----------
    folder : Path
        Of a seed that no other process is training.
    """
    for part in folder.glob(".*.part"):
        part.unlink(missing_ok=True)


def _finish(loop: TrainingLoop, state: TrainingState, *, seed: int, device: str) -> SeedResult:
    state.model.load_state_dict(state.best)
    shift = (
        domain_shift(dataset=loop.dataset, pool=loop.pool, normaliser=loop.normaliser)
        if loop.config.split_rate
        else {}
    )
    return SeedResult(
        seed=seed,
        settings=state.settings,
        device=device,
        history=tuple(state.history),
        domain_shift=shift,
        selection=loop.config.selection,
    )


def _keep(result: SeedResult, loop: TrainingLoop, state: TrainingState, folder: Path) -> None:
    """Keep the best weights, then say that the seed is done, then drop the state."""
    names = {name: ragged.names for name, ragged in loop.dataset.modalities.items()}
    save_checkpoint(
        folder / "model.safetensors", model=state.model, normaliser=loop.normaliser, names=names
    )
    result.save(folder / "result.json")
    (folder / "state.safetensors").unlink(missing_ok=True)
