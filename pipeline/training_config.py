"""How models are trained."""

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, get_args

import torch

from pipeline.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]
Selection = Literal["valid", "test_oracle"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How models are trained.

    Parameters
    ----------
    max_epochs : int
        Passes over the training split at most, >= 1.
    batch_size : int
        Utterances a step, >= 2.
    min_batch : int
        A last batch smaller than this joins the one before, >= 2: losses over pairs in a batch
        mean little in a small one.
    sorted_batches : int
        Batches whose utterances are sorted by length among themselves, >= 1; with 1 none are. More
        make batches of like lengths, with less padding to compute, that are less random.
    split_rate : int
        Unlabelled utterances that each labelled one brings along into its batch, >= 0. They count
        neither in ``batch_size`` nor in ``min_batch``, and only in the terms of a loss that need no
        label; MIRD is the model that they are for.
    learning_rate : float
        AdamW's, > 0.
    weight_decay : float
        AdamW's, >= 0.
    gradient_clip : float or None
        Largest 2-norm of all gradients together, > 0; not clipped if None.
    patience : int
        Epochs without a smaller validation error after which training stops, >= 1.
    plateau : int
        Epochs without a smaller validation error after which the learning rate is halved, >= 0.
    selection : {"valid", "test_oracle"}
        Whose error selects the epoch that is kept: the validation split's, or the test split's
        itself, as in the published code of MIRD and in one of the two records of MInD's. What is
        then measured on the test split is too good, and only good for comparison with papers that
        did so. Learning rate and end of the training follow the validation split either way.
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes a GPU if there is one. No part of a run's identity.
    seeds : tuple of int
        One training each, distinct.

    Raises
    ------
    ConfigError
        If a value is outside its range.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    max_epochs: int = 100
    batch_size: int = 32
    min_batch: int = 8
    sorted_batches: int = 1
    split_rate: int = 0
    learning_rate: float = 5e-4
    weight_decay: float = 0.0
    gradient_clip: float | None = 1.0
    patience: int = 8
    plateau: int = 3
    selection: Selection = "valid"
    device: Device = "auto"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

    def __post_init__(self) -> None:
        rules = {
            "max_epochs": self.max_epochs >= 1,
            "batch_size": self.batch_size >= 2,
            "min_batch": 2 <= self.min_batch <= self.batch_size,
            "sorted_batches": self.sorted_batches >= 1,
            "split_rate": self.split_rate >= 0,
            "learning_rate": 0 < self.learning_rate < math.inf,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "gradient_clip": self.gradient_clip is None or 0 < self.gradient_clip < math.inf,
            "patience": self.patience >= 1,
            "plateau": self.plateau >= 0,
            "selection": self.selection in get_args(Selection),
            "device": self.device in get_args(Device),
            "seeds": bool(self.seeds) and len(set(self.seeds)) == len(self.seeds),
        }
        wrong = {name: getattr(self, name) for name, fits in rules.items() if not fits}
        if wrong:
            raise ConfigError(f"training: values outside their range: {wrong}")

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that the weights of a seed depend on, plain JSON values."""
        return {n: v for n, v in asdict(self).items() if n not in ("device", "seeds")}


def choose_device(wanted: Device) -> Literal["cpu", "cuda"]:
    """Resolve ``auto``.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda"}
        The configuration's.

    Returns
    -------
    {"cpu", "cuda"}
        A device that is there.

    Raises
    ------
    ConfigError
        If a GPU is asked for and there is none.
    """
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise ConfigError("training: device is 'cuda', but there is no GPU; set it to 'auto'")
    return "cuda" if there and wanted != "cpu" else "cpu"
