"""The loop over epochs and batches."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from models.base import Output, SentimentModel
from models.batch import Batch
from models.estimators import estimator_optimizer, fit_estimators
from pipeline.batching import make_batches
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError, RunError
from pipeline.evaluation import labelled, predict
from pipeline.normalise import Normaliser
from pipeline.randomness import mixed_seed
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig
from pipeline.training_state import EpochRecord, TrainingState, as_floats, best_epoch
from pipeline.training_unlabelled import pair_unlabelled, unlabelled_pool


class TrainingLoop:
    """Train one model on one device.

    Parameters
    ----------
    model : SentimentModel
        Untrained; moved to the device.
    dataset : PackedDataset
        Copied to the device as a whole.
    split : Split
        Labelled utterances of ``train`` are learned from, those of ``valid`` select the epoch, or
        for ``test_oracle`` those of ``test``; unlabelled ones come from outside of ``valid`` and
        ``test``.
    config : TrainingConfig
        How to train.
    device : str
        ``cpu`` or ``cuda``.

    Attributes
    ----------
    normaliser : Normaliser
        Statistics of the labelled utterances of the training split.
    pool : Tensor of int64
        Positions of the unlabelled utterances that there are to learn from.

    Raises
    ------
    DataError
        If fewer than two utterances can be learned from, none can be validated on, none can select
        the epoch, or unlabelled ones are asked for and there are none.
    """

    def __init__(
        self,
        *,
        model: SentimentModel,
        dataset: PackedDataset,
        split: Split,
        config: TrainingConfig,
        device: str,
    ) -> None:
        self.config, self.model = config, model
        self.dataset = dataset.to(device)
        self.train, self.valid = (labelled(self.dataset, ids) for ids in (split.train, split.valid))
        if len(self.train) < 2 or not len(self.valid):
            raise DataError(
                f"training needs 2 or more labelled utterances to learn from and 1 or more to "
                f"validate on; the split has {len(self.train)} and {len(self.valid)}: label more "
                "videos, or choose other shares or another seed of the split"
            )
        self.oracle = self._oracle(split)
        self.pool = unlabelled_pool(dataset=self.dataset, split=split)
        self.unlabelled = pair_unlabelled(
            labelled=self.train,
            pool=self.pool,
            split_rate=config.split_rate,
            utterances=len(self.dataset),
        )
        self.normaliser = fit_normaliser(self.dataset, self.train)
        self.fabric = Fabric(accelerator=device, devices=1)
        self.step = _Step(model, self.dataset, self.normaliser)
        self.optimizer = AdamW(
            model.parameter_groups(config.learning_rate), weight_decay=config.weight_decay
        )
        self.wrapped_step, self.wrapped_optimizer = self.fabric.setup(self.step, self.optimizer)
        self.estimator_optimizer = estimator_optimizer(model=model)

    def run(
        self,
        *,
        folder: Path,
        settings: str,
        seed: int,
        on_epoch: Callable[[EpochRecord], None] | None,
    ) -> TrainingState:
        """Train until the validation error stops falling, saving after each epoch.

        Parameters
        ----------
        folder : Path
            Where ``state.safetensors`` is kept.
        settings : str
            Digest of everything that the weights depend on.
        seed : int
            Of order and dropout. Torch's global generator is seeded anew for every epoch.
        on_epoch : callable or None
            Called after each epoch is saved.

        Returns
        -------
        TrainingState
            After the last epoch.
        """
        path = folder / "state.safetensors"
        state = TrainingState(
            model=self.model,
            optimizer=self.optimizer,
            estimator_optimizer=self.estimator_optimizer,
            settings=settings,
            history=[],
            best={},
            selection=self.config.selection,
        )
        state.restore(path)
        scheduler = ReduceLROnPlateau(self.optimizer, factor=0.5, patience=self.config.plateau)
        for record in state.history:
            scheduler.step(record.valid_mae)
        while not self._is_done(state.history):
            record = self._epoch(len(state.history), seed)
            scheduler.step(record.valid_mae)
            state.add(record)
            state.save(path)
            if on_epoch is not None:
                on_epoch(record)
        return state

    def _is_done(self, history: list[EpochRecord]) -> bool:
        if not history:
            return False
        waited = history[-1].epoch - best_epoch(history)
        return len(history) >= self.config.max_epochs or waited >= self.config.patience

    def _epoch(self, epoch: int, seed: int) -> EpochRecord:
        started = time.perf_counter()
        # a generator that starts anew with every epoch is one that needs not be saved
        torch.manual_seed(mixed_seed(seed, epoch))
        rate = self.optimizer.param_groups[0]["lr"]
        sums = self._train_epoch(epoch, mixed_seed(seed, epoch, "order"))
        total, norm = sums.pop("total"), sums.pop("norm")
        error = self._mean_error(self.valid)
        if not (math.isfinite(total) and math.isfinite(error)):
            raise RunError(
                f"seed {seed}, epoch {epoch}: the loss is {total} and the validation error "
                f"{error}; lower the learning rate from {rate}",
                code="diverged",
            )
        return EpochRecord(
            epoch=epoch,
            terms={name.removeprefix("term "): value for name, value in sums.items()},
            weights=dict(self.step.weights),
            total=total,
            gradient_norm=norm,
            learning_rate=rate,
            valid_mae=error,
            test_mae=None if self.oracle is None else self._mean_error(self.oracle),
            seconds=time.perf_counter() - started,
        )

    def _train_epoch(self, epoch: int, order: int) -> dict[str, float]:
        """Means over the utterances of losses, and over the steps of the gradient's norm."""
        self.model.train()
        batches = make_batches(
            index=self.train,
            batch_size=self.config.batch_size,
            min_batch=self.config.min_batch,
            seed=order,
            lengths=self.dataset.lengths,
            sorted_batches=self.config.sorted_batches,
        )
        sums: dict[str, Tensor] = {}
        for number, index in enumerate(batches):
            progress = (epoch + number / len(batches)) / self.config.max_epochs
            for name, value in self._train_batch(index, progress, epoch).items():
                share = 1 / len(batches) if name == "norm" else len(index) / len(self.train)
                sums[name] = sums.get(name, torch.zeros_like(value)) + share * value
        return as_floats(sums)

    def _train_batch(self, index: Tensor, progress: float, epoch: int) -> dict[str, Tensor]:
        index = torch.cat([index, self.unlabelled[index].flatten()])
        losses: dict[str, Tensor] = self.wrapped_step(index, progress)
        self.fabric.backward(losses["total"])
        norm: Any = self.fabric.clip_gradients(
            self.wrapped_step,
            self.wrapped_optimizer,
            max_norm=self.config.gradient_clip or math.inf,
            error_if_nonfinite=False,
        )
        self.wrapped_optimizer.step()
        self.wrapped_optimizer.zero_grad()
        values = {name: value.detach() for name, value in losses.items()} | {"norm": norm}
        batch, output = self.step.seen
        values |= self._fit_estimators(batch, output)
        self.model.after_step(batch, output.detach(), epoch)
        return values

    def _fit_estimators(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Report the estimators' loss like a term of weight 0: the model is not trained by it."""
        if self.estimator_optimizer is None:
            return {}
        loss = fit_estimators(
            model=self.model, optimizer=self.estimator_optimizer, batch=batch, output=output
        )
        self.step.weights = {**self.step.weights, "estimators": 0.0}
        return {"term estimators": output.prediction.new_zeros(()) if loss is None else loss}

    def _oracle(self, split: Split) -> Tensor | None:
        """Positions of the test split, if that selects; nothing else of the loop may see it."""
        if self.config.selection == "valid":
            return None
        index = labelled(self.dataset, split.test)
        if not len(index):
            raise DataError(
                "selection: test_oracle needs 1 or more labelled utterances in the test split; "
                "label more videos, or select on valid"
            )
        return index

    def _mean_error(self, index: Tensor) -> float:
        prediction = predict(
            model=self.model,
            normaliser=self.normaliser,
            dataset=self.dataset,
            index=index,
            batch_size=self.config.batch_size,
        )
        target = self.dataset.labels[index].cpu()
        if getattr(self.model.config, "regression", None) == "logistic":
            # log odds are no estimate of the label: their distance from it says nothing
            return float(((prediction > 0) != (target > 0)).float().mean())
        return float((prediction - target).abs().mean())


class _Step(nn.Module):
    """Model and losses as one module whose inputs and outputs are tensors, as Fabric wants."""

    def __init__(
        self, model: SentimentModel, dataset: PackedDataset, normaliser: Normaliser
    ) -> None:
        super().__init__()
        self.model, self.dataset, self.normaliser = model, dataset, normaliser
        self.weights: dict[str, float] = {}
        self.seen: tuple[Batch, Output]

    def forward(self, index: Tensor, progress: float) -> dict[str, Tensor]:
        batch = self.dataset.batch(index, self.normaliser)
        output = self.model(batch)
        losses = self.model.losses(batch, output, progress)
        self.weights, self.seen = losses.weights, (batch, output)
        return {"total": losses.total, **{f"term {n}": t for n, t in losses.terms.items()}}


def fit_normaliser(dataset: PackedDataset, index: Tensor) -> Normaliser:
    """Measure the statistics of some utterances.

    Parameters
    ----------
    dataset : PackedDataset
        The features.
    index : Tensor of int64, shape (n,)
        Positions of the training utterances.

    Returns
    -------
    Normaliser
        Over their valid rows.
    """
    rows = {}
    for name, ragged in dataset.modalities.items():
        owner = torch.repeat_interleave(ragged.offsets.diff())
        rows[name] = ragged.values[torch.isin(owner, index) & ragged.valid]
    return Normaliser.fit(rows)
