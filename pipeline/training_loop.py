"""The loop over epochs and batches."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW
from torch.optim.lr_scheduler import ReduceLROnPlateau

from models.base import Output, SentimentModel
from models.batch import Batch
from models.estimators import estimator_optimizer, fit_estimators
from pipeline.batching import make_batches
from pipeline.dataset import PackedDataset
from pipeline.dataset_placement import place
from pipeline.dataset_statistics import fit_normaliser
from pipeline.errors import DataError, RunError
from pipeline.evaluation import labelled, predict
from pipeline.randomness import mixed_seed
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig
from pipeline.training_gradients import term_gradient_norms
from pipeline.training_position import EpochPosition
from pipeline.training_ranks import (
    make_fabric,
    rank,
    send_buffers,
    shares,
    sum_over_ranks,
    whole_output,
)
from pipeline.training_state import EpochRecord, TrainingState, as_floats, best_epoch
from pipeline.training_step import TrainingStep, explained_precision
from pipeline.training_unlabelled import pair_unlabelled, unlabelled_pool


class TrainingLoop:
    """Train one model on one device, or as one of the processes that share its batches.

    Parameters
    ----------
    model : SentimentModel
        Untrained; moved to the device.
    dataset : PackedDataset
        Copied to the device as a whole, or a batch at a time, as ``config.data_on`` says.
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
        self.fabric = make_fabric(config, device)
        self.dataset = place(
            dataset,
            device=self.fabric.device,
            data_on=config.data_on,
            limit_bytes=config.data_limit_bytes,
        )
        self.train, self.valid = (labelled(self.dataset, ids) for ids in (split.train, split.valid))
        if len(self.train) < 2 * config.ranks or not len(self.valid):
            raise DataError(
                f"training needs {2 * config.ranks} or more labelled utterances to learn from and "
                f"1 or more to validate on; the split has {len(self.train)} and {len(self.valid)}: "
                "label more videos, or choose other shares or another seed of the split"
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
        self.step = TrainingStep(model, self.dataset, self.normaliser, compiled=config.compile)
        self.optimizer = AdamW(
            model.parameter_groups(config.learning_rate),
            weight_decay=config.weight_decay,
            fused=True,
        )
        own = {id(parameter) for parameter in model.estimator_parameters()}
        # estimators are fitted outside of what the processes do together
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(  # type: ignore[no-untyped-call]
            self.step, [name for name, value in self.step.named_parameters() if id(value) in own]
        )
        self.wrapped_step, self.wrapped_optimizer = self.fabric.setup(self.step, self.optimizer)
        self.estimator_optimizer = estimator_optimizer(model=model)
        self._saved = time.monotonic()

    def run(
        self,
        *,
        folder: Path,
        settings: str,
        seed: int,
        on_epoch: Callable[[EpochRecord], None] | None,
    ) -> TrainingState:
        """Train until the validation error stops falling; save after epochs, and within long ones.

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
        self.fabric.barrier()

        def save(position: EpochPosition | None = None) -> None:
            state.position = position
            if rank() == 0:
                state.save(path)
            self._saved = time.monotonic()

        scheduler = ReduceLROnPlateau(self.optimizer, factor=0.5, patience=self.config.plateau)
        for record in state.history:
            scheduler.step(record.valid_mae)
        while not self._is_done(state.history):
            record = self._epoch(len(state.history), seed, position=state.position, save=save)
            scheduler.step(record.valid_mae)
            state.add(record)
            save()
            if on_epoch is not None and rank() == 0:
                on_epoch(record)
        return state

    def _is_done(self, history: list[EpochRecord]) -> bool:
        if not history:
            return False
        waited = history[-1].epoch - best_epoch(history)
        return len(history) >= self.config.max_epochs or waited >= self.config.patience

    def _epoch(
        self,
        epoch: int,
        seed: int,
        *,
        position: EpochPosition | None = None,
        save: Callable[[EpochPosition], None] | None = None,
    ) -> EpochRecord:
        started = time.perf_counter()
        position = EpochPosition() if position is None else position
        before = position.seconds
        rate = self.optimizer.param_groups[0]["lr"]
        self._train_epoch(epoch, seed, position, save)
        norm = position.sums.pop("norm")
        sums = as_floats(sum_over_ranks(position.sums) | {"norm": norm})
        total, norm_mean = sums.pop("total"), sums.pop("norm")
        error: float = self.fabric.broadcast(self._mean_error(self.valid))
        if not (math.isfinite(total) and math.isfinite(error)):
            raise RunError(
                f"seed {seed}, epoch {epoch}: the loss is {total} and the validation error "
                f"{error}; lower the learning rate from {rate}",
                code="diverged",
            )
        return EpochRecord(
            epoch=epoch,
            terms={name.removeprefix("term "): value for name, value in sums.items()},
            weights=position.weights,
            total=total,
            gradient_norm=norm_mean,
            learning_rate=rate,
            valid_mae=error,
            test_mae=(
                None
                if self.oracle is None
                else self.fabric.broadcast(self._mean_error(self.oracle))
            ),
            seconds=before + time.perf_counter() - started,
            gradient_norms=position.gradient_norms,
        )

    def _train_epoch(
        self,
        epoch: int,
        seed: int,
        position: EpochPosition,
        save: Callable[[EpochPosition], None] | None,
    ) -> None:
        """Take the steps that are left, adding to the position."""
        self.model.train()
        batches = make_batches(
            index=self.train,
            batch_size=self.config.batch_size,
            min_batch=self.config.min_batch,
            seed=mixed_seed(seed, epoch, "order"),
            lengths=self.dataset.lengths,
            sorted_batches=self.config.sorted_batches,
        )
        starts = range(0, len(batches), self.config.accumulate)
        # what starts anew with every epoch needs to be saved within an epoch alone
        torch.manual_seed(mixed_seed(seed, epoch))
        position.restore_generators(self.fabric.device)
        before, started = position.seconds, time.perf_counter()
        position.sums = {n: value.to(self.fabric.device) for n, value in position.sums.items()}
        every = self.config.gradient_norms
        left = batches[position.steps * self.config.accumulate :]
        fed = self.dataset.ahead([self._with_unlabelled(self._own(index)) for index in left])
        for number in range(position.steps, len(starts)):
            measured = number == 0 and every > 0 and epoch % every == 0
            values = self._train_group(
                batches[starts[number] : starts[number] + self.config.accumulate],
                progress=(epoch + number / len(starts)) / self.config.max_epochs,
                epoch=epoch,
                seed=mixed_seed(seed, epoch, number) if self.config.ranks > 1 else None,
                gradient_norms=position.gradient_norms if measured else None,
                fed=fed,
            )
            position.add(values | {"norm": (1 / len(starts)) * values["norm"]})
            position.weights = dict(self.step.weights)
            position.steps = number + 1
            position.seconds = before + time.perf_counter() - started
            if save is not None and self._must_save():
                position.store_generators(self.fabric.device)
                save(position)
        send_buffers(self.model)

    def _must_save(self) -> bool:
        return rank() == 0 and time.monotonic() - self._saved >= 60 * self.config.save_minutes

    def _train_group(
        self,
        group: Sequence[Tensor],
        *,
        progress: float,
        epoch: int,
        seed: int | None = None,
        gradient_norms: dict[str, float] | None = None,
        fed: Iterator[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Take one step; return its part of the epoch's mean losses, and its gradient's norm.

        Processes that share a training draw anew in every step, each from a generator of its own
        and all from the same one for what they do alike.
        """
        if seed is not None:
            torch.manual_seed(mixed_seed(seed, rank()))
        utterances = sum(len(index) for index in group)
        values, seen = EpochPosition(), []
        for number, index in enumerate(group):
            divided = shares(index, ranks=self.config.ranks)
            own = divided[rank()]
            positions = self._with_unlabelled(own) if fed is None else next(fed)
            goes_on = number + 1 < len(group) and self.config.ranks > 1
            with (
                explained_precision(self.model),
                self.fabric.no_backward_sync(self.wrapped_step, enabled=goes_on),
            ):
                losses: dict[str, Tensor] = self.wrapped_step(positions, progress)
                if gradient_norms is not None and not number:
                    gradient_norms |= self._gradient_norms()
                weight = self.config.ranks * len(own) / utterances
                self.fabric.backward(weight * losses["total"])
            share = len(own) / len(self.train)
            values.add({name: share * value.detach() for name, value in losses.items()})
            batch, output = self.step.seen
            seen.append((share, divided, batch, output.detach()))
        norm: Any = self.fabric.clip_gradients(
            self.wrapped_step,
            self.wrapped_optimizer,
            max_norm=self.config.gradient_clip or math.inf,
            error_if_nonfinite=False,
        )
        self.wrapped_optimizer.step()
        self.wrapped_optimizer.zero_grad()
        if seed is not None:
            torch.manual_seed(mixed_seed(seed, "hooks"))
        for share, divided, batch, output in seen:
            values.add(self._after_step(batch, output, divided, epoch=epoch, share=share))
        return values.sums | {"norm": norm}

    def _own(self, index: Tensor) -> Tensor:
        return shares(index, ranks=self.config.ranks)[rank()]

    def _with_unlabelled(self, index: Tensor) -> Tensor:
        return torch.cat([index, self.unlabelled[index].flatten()])

    def _gradient_norms(self) -> dict[str, float]:
        groups = self.optimizer.param_groups
        return term_gradient_norms(
            terms=self.step.losses.terms,
            weights=self.step.losses.weights,
            parameters=[p for group in groups for p in group["params"] if p.requires_grad],
        )

    def _after_step(
        self, batch: Batch, output: Output, divided: list[Tensor], *, epoch: int, share: float
    ) -> dict[str, Tensor]:
        """Fit the estimators and call the model's hook, with what all processes have seen."""
        if self.config.ranks > 1:
            if not self._has_hooks:
                return {}
            whole = [self._with_unlabelled(part) for part in divided]
            output = whole_output(output, sizes=[len(part) for part in whole], model=self.model)
            batch = self.dataset.batch(torch.cat(whole), self.normaliser)
        values = self._fit_estimators(batch, output)
        self.model.after_step(batch, output, epoch)
        return {name: share * value for name, value in values.items()}

    @property
    def _has_hooks(self) -> bool:
        own = type(self.model).after_step is not SentimentModel.after_step
        return own or self.estimator_optimizer is not None

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
        if getattr(self.model.config, "classes", ()):
            return float((prediction != target).float().mean())
        if getattr(self.model.config, "regression", None) == "logistic":
            # log odds are no estimate of the label: their distance from it says nothing
            return float(((prediction > 0) != (target > 0)).float().mean())
        return float((prediction - target).abs().mean())
