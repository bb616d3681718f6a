"""Training: one seed of one model, resumable after every epoch."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.checkpoint import build_model, plain_model_config, save_checkpoint
from pipeline.dataset import PackedDataset
from pipeline.fingerprint import settings_digest
from pipeline.randomness import mixed_seed, seeded
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig, choose_device
from pipeline.training_loop import TrainingLoop
from pipeline.training_state import EpochRecord, SeedResult, TrainingState, check_settings
from pipeline.training_unlabelled import domain_shift


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
    """Train one model; go on where an earlier call was stopped.

    Everything random is drawn from a generator seeded by seed and epoch, so on a CPU an
    interrupted training ends in the same weights, bit for bit, as one that was not. The test
    split is not touched, unless it shall select the epoch.

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
        How to train; ``seeds`` is not used.
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
    plain = plain_model_config(model_name, model_config)
    settings = settings_digest(
        {
            "model": [model_name, plain],
            "training": config.identity,
            "data": dataset.digest,
            "split": asdict(split),
            "seed": seed,
        }
    )
    if (folder / "result.json").exists():
        result = SeedResult.load(folder / "result.json")
        check_settings(folder / "result.json", found=result.settings, wanted=settings)
        return result
    device = choose_device(config.device)
    with seeded(mixed_seed(seed, "weights")):
        model = build_model(model_name, plain, dataset.dimensions)
        loop = TrainingLoop(model=model, dataset=dataset, split=split, config=config, device=device)
        state = loop.run(folder=folder, settings=settings, seed=seed, on_epoch=on_epoch)
    return _finish(loop, state, folder=folder, seed=seed, device=device)


def _finish(
    loop: TrainingLoop, state: TrainingState, *, folder: Path, seed: int, device: str
) -> SeedResult:
    """Keep the best weights, then say that the seed is done, then drop the state."""
    state.model.load_state_dict(state.best)
    names = {name: ragged.names for name, ragged in loop.dataset.modalities.items()}
    save_checkpoint(
        folder / "model.safetensors", model=state.model, normaliser=loop.normaliser, names=names
    )
    shift = (
        domain_shift(dataset=loop.dataset, pool=loop.pool, normaliser=loop.normaliser)
        if loop.config.split_rate
        else {}
    )
    result = SeedResult(
        seed=seed,
        settings=state.settings,
        device=device,
        history=tuple(state.history),
        domain_shift=shift,
        selection=loop.config.selection,
    )
    result.save(folder / "result.json")
    (folder / "state.safetensors").unlink(missing_ok=True)
    return result
