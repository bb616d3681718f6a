"""What training leaves on disk: the state to resume from, and a finished seed's result."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor
from torch.optim import Optimizer

from models.base import SentimentModel
from pipeline.atomic import write_bytes
from pipeline.checkpoint import read_tensors, subset, write_tensors
from pipeline.errors import RunError, StoreError
from pipeline.training_config import Selection
from pipeline.training_position import EpochPosition


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What one pass over the training split did.

    Parameters
    ----------
    epoch : int
        From 0.
    terms : dict of str to float
        Loss terms, unweighted, mean over the utterances.
    weights : dict of str to float
        Their weights.
    total : float
        Weighted sum of the terms, mean over the utterances.
    gradient_norm : float
        2-norm of all gradients before clipping, mean over the steps.
    learning_rate : float
        Of the first parameter group.
    valid_mae : float
        Mean absolute error on the validation split after the epoch; of a model of log odds, the
        share of utterances of the wrong class.
    seconds : float
        Wall-clock time, validation included.
    test_mae : float or None
        The same on the test split; only where that selects the epoch.
    gradient_norms : dict of str to float
        2-norm of each weighted term's gradient on the first batch of the epoch, over the parameters
        that two terms or more reach; empty in an epoch where it was not measured.
    """

    epoch: int
    terms: dict[str, float]
    weights: dict[str, float]
    total: float
    gradient_norm: float
    learning_rate: float
    valid_mae: float
    seconds: float
    test_mae: float | None = None
    gradient_norms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """A finished training.

    Parameters
    ----------
    seed : int
        Its seed.
    settings : str
        Digest of everything that the weights depend on.
    device : str
        ``cpu`` or ``cuda``.
    history : tuple of EpochRecord
        All epochs.
    domain_shift : dict of str to float
        Modality to how far the unlabelled utterances that were learned from are from the labelled
        ones, as in :func:`pipeline.training_unlabelled.domain_shift`; empty if there were none.
    selection : {"valid", "test_oracle"}
        Which split's error selected the epoch.
    """

    seed: int
    settings: str
    device: str
    history: tuple[EpochRecord, ...]
    domain_shift: dict[str, float] = field(default_factory=dict)
    selection: Selection = "valid"

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights were kept, from 0."""
        return best_epoch(self.history, selection=self.selection)

    def save(self, path: Path) -> None:
        """Write as JSON, atomically.

        Parameters
        ----------
        path : Path
            Where to.
        """
        write_bytes(path, TypeAdapter(SeedResult).dump_json(self, indent=1))

    @classmethod
    def load(cls, path: Path) -> "SeedResult":
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        SeedResult
            As saved.

        Raises
        ------
        StoreError
            If the file is damaged.
        """
        try:
            return TypeAdapter(SeedResult).validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise StoreError(
                f"{path}: not a training's result; delete it and train again"
            ) from error


def best_epoch(history: Sequence[EpochRecord], *, selection: Selection = "valid") -> int:
    """Select an epoch.

    Parameters
    ----------
    history : sequence of EpochRecord
        At least one; for ``test_oracle`` all with a test error.
    selection : {"valid", "test_oracle"}
        Which split's error selects.

    Returns
    -------
    int
        The first epoch of the smallest error.

    Raises
    ------
    RunError
        If the test error was not recorded.
    """
    if selection == "valid":
        return min(history, key=lambda record: record.valid_mae).epoch
    errors = [record.test_mae for record in history]
    known = [error for error in errors if error is not None]
    if len(known) < len(errors):
        raise RunError(
            f"{len(errors) - len(known)} of {len(errors)} epochs have no error on the test split; "
            "train again to select by it"
        )
    return history[known.index(min(known))].epoch


@dataclass(kw_only=True, eq=False)
class TrainingState:
    """A training between two steps.

    Parameters
    ----------
    model : SentimentModel
        With the weights after the last step.
    optimizer : Optimizer
        Its optimiser.
    settings : str
        Digest of everything that the weights depend on.
    history : list of EpochRecord
        Epochs done.
    best : dict of str to Tensor
        Weights after the best epoch; empty before the first.
    estimator_optimizer : Optimizer, optional
        That of the model's estimators, if it has any.
    selection : {"valid", "test_oracle"}
        Which split's error makes an epoch the best.
    position : EpochPosition, optional
        What is done of the epoch after those of the history; None between two epochs.
    """

    model: SentimentModel
    optimizer: Optimizer
    settings: str
    history: list[EpochRecord]
    best: dict[str, Tensor]
    estimator_optimizer: Optimizer | None = None
    selection: Selection = "valid"
    position: EpochPosition | None = None

    def add(self, record: EpochRecord) -> None:
        """Take an epoch in, and the model's weights if it is the best so far.

        Parameters
        ----------
        record : EpochRecord
            What the epoch did.
        """
        self.history.append(record)
        self.position = None
        if best_epoch(self.history, selection=self.selection) == record.epoch:
            self.best = {n: value.clone() for n, value in self.model.state_dict().items()}

    def save(self, path: Path) -> None:
        """Write as one safetensors file with a JSON header, atomically.

        Parameters
        ----------
        path : Path
            Where to.
        """
        tensors = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        for group, optimizer in self._optimizers.items():
            for number, values in optimizer.state_dict()["state"].items():
                tensors |= {f"{group}/{number}/{name}": value for name, value in values.items()}
        history = TypeAdapter(list[EpochRecord]).dump_python(self.history)
        header = {"settings": self.settings, "history": history}
        if self.position is not None:
            own, header["position"] = self.position.as_plain()
            tensors |= {f"position/{name}": value for name, value in own.items()}
        write_tensors(path, tensors, header)

    def restore(self, path: Path) -> None:
        """Go on from what :meth:`save` wrote, if there is anything.

        Learning rates are not stored: they follow from the history.

        Parameters
        ----------
        path : Path
            The file.

        Raises
        ------
        StoreError
            If the file is damaged.
        RunError
            If it is the state of another training.
        """
        if not path.exists():
            return
        tensors, header = read_tensors(path)
        check_settings(path, found=header.get("settings"), wanted=self.settings)
        try:
            self.history = TypeAdapter(list[EpochRecord]).validate_python(header["history"])
            self.model.load_state_dict(subset(tensors, "model"))
            for group, optimizer in self._optimizers.items():
                _restore_optimizer(optimizer, subset(tensors, group))
            if "position" in header:
                own = subset(tensors, "position")
                self.position = EpochPosition.from_plain(own, header["position"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise StoreError(
                f"{path}: not a training's state ({error}); delete it to train from the start"
            ) from error
        device = next(self.model.parameters()).device
        self.best = {name: value.to(device) for name, value in subset(tensors, "best").items()}

    @property
    def _optimizers(self) -> dict[str, Optimizer]:
        own = {"optimizer": self.optimizer}
        if self.estimator_optimizer is None:
            return own
        return own | {"estimator_optimizer": self.estimator_optimizer}


def _restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        number, name = key.split("/", 1)
        state.setdefault(int(number), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def check_settings(path: Path, *, found: Any, wanted: str) -> None:
    """Refuse a file of another training.

    Parameters
    ----------
    path : Path
        Which file.
    found, wanted : str
        Digests of the settings.

    Raises
    ------
    RunError
        If they differ.
    """
    if found != wanted:
        raise RunError(
            f"{path} belongs to a training with other settings, data or split; choose another "
            "folder or delete it"
        )


def as_floats(tensors: dict[str, Tensor]) -> dict[str, float]:
    """Bring scalars to the host in one transfer.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Scalars on one device.

    Returns
    -------
    dict of str to float
        Their values.
    """
    values = torch.stack([value.detach().double() for value in tensors.values()]).tolist()
    return dict(zip(tensors, values, strict=True))
