"""How models are trained."""

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, get_args

import torch

from pipeline.dataset_placement import DataPlace
from pipeline.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]
Selection = Literal["valid", "test_oracle"]
Precision = Literal[32, "bf16"]

#: Of these, what is not the default changes the weights, if but by rounding.
_IDENTITY_UNLESS_DEFAULT = ("precision", "accumulate", "compile")
#: These change how fast, where and how well observed a training is, not what comes of it.
_NO_IDENTITY = (
    "device",
    "data_on",
    "data_limit_gigabytes",
    "devices",
    "nodes",
    "seeds",
    "seeds_at_once",
    "gradient_norms",
    "save_minutes",
)


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
    data_on : {"auto", "device", "host"}
        Where the features are: copied to the device as a whole, or read from their file and sent a
        batch at a time. ``auto`` does the second where they are larger than the limit. On a CPU
        they are memory-mapped either way. Results are the same.
    data_limit_gigabytes : float or None
        The limit of ``auto``, >= 0; None is half of the GPU's free memory, and no limit on a CPU.
    seeds : tuple of int
        One training each, distinct.
    precision : {32, "bf16"}
        bf16 computes what is inside of the model in bfloat16 where torch deems that safe; weights,
        outputs, losses, validation and predictions stay in float32.
    accumulate : int
        Batches whose gradients are added up for one step, >= 1. For losses that are means over
        utterances the gradient is that of one batch of them all; the last step of an epoch may
        have fewer.
    compile : bool
        Whether the model is compiled by torch. It takes a C++ compiler and a minute or more, which
        pays in long trainings on a GPU.
    devices : int
        GPUs of each machine that share every batch, or processes on a CPU, >= 1. ``batch_size``
        is that of all devices together. They are started by Winnow, or by torchrun.
    nodes : int
        Machines, >= 1; several are started by torchrun, and share the workspace.
    seeds_at_once : int
        Seeds that are trained at the same time, in processes of their own, >= 1.
    gradient_norms : int
        Epochs between measurements of the gradient's norm of each term of the loss, on the first
        batch of an epoch, >= 0; 0 for none. One costs a step or two.
    save_minutes : float
        Minutes between saves inside of an epoch, >= 0. A training that is killed loses no more.

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
    data_on: DataPlace = "auto"
    data_limit_gigabytes: float | None = None
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    precision: Precision = 32
    accumulate: int = 1
    compile: bool = False
    devices: int = 1
    nodes: int = 1
    seeds_at_once: int = 1
    gradient_norms: int = 5
    save_minutes: float = 10.0

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
            "data_on": self.data_on in get_args(DataPlace),
            "data_limit_gigabytes": 0 <= (self.data_limit_gigabytes or 0) < math.inf,
            "seeds": bool(self.seeds) and len(set(self.seeds)) == len(self.seeds),
            "precision": self.precision in get_args(Precision),
            "accumulate": self.accumulate >= 1,
            "devices": self.devices >= 1,
            "nodes": self.nodes >= 1,
            "seeds_at_once": self.seeds_at_once >= 1,
            "gradient_norms": self.gradient_norms >= 0,
            "save_minutes": 0 <= self.save_minutes < math.inf,
        }
        wrong = {name: getattr(self, name) for name, fits in rules.items() if not fits}
        if wrong:
            raise ConfigError(f"training: values outside their range: {wrong}")
        if self.ranks > 1 and self.seeds_at_once > 1:
            raise ConfigError(
                f"training: {self.ranks} processes share one seed, so seeds_at_once must be 1, not "
                f"{self.seeds_at_once}"
            )
        if self.min_batch < 2 * self.ranks:
            raise ConfigError(
                f"training: a batch of min_batch = {self.min_batch} utterances has less than 2 for "
                f"each of {self.ranks} processes; set it to {2 * self.ranks} or more"
            )

    @property
    def data_limit_bytes(self) -> int | None:
        """What of a data set is copied to the device as a whole; None if that is for it to say."""
        limit = self.data_limit_gigabytes
        return None if limit is None else round(limit * 1e9)

    @property
    def ranks(self) -> int:
        """Processes that share a training."""
        return self.devices * self.nodes

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that the weights of a seed depend on, plain JSON values."""
        defaults = {field.name: field.default for field in fields(self)}
        settings = {
            name: value
            for name, value in asdict(self).items()
            if name not in _NO_IDENTITY
            and not (name in _IDENTITY_UNLESS_DEFAULT and value == defaults[name])
        }
        return settings | ({"ranks": self.ranks} if self.ranks > 1 else {})


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
