"""What the synthetic benchmark trains, and on what."""

from dataclasses import dataclass
from typing import ClassVar

from pipeline.errors import ConfigError
from pipeline.synthetic.generator_config import SyntheticConfig
from pipeline.training_config import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """One training for each contender and seed, the same for all contenders.

    Parameters
    ----------
    contenders : tuple of str
        Names for :func:`.contenders.find_contender`, distinct.
    data : SyntheticConfig
        Each seed of the training draws its own data, by ``data.seed`` plus it.
    training : TrainingConfig
        How to train; with its seeds.

    Raises
    ------
    ConfigError
        If there is no contender, or one twice.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    contenders: tuple[str, ...]
    data: SyntheticConfig
    training: TrainingConfig

    def __post_init__(self) -> None:
        if not self.contenders or len(set(self.contenders)) != len(self.contenders):
            raise ConfigError(f"contenders must be distinct, one or more: {self.contenders}")


_DEFAULTS = ("mind_text_only", "mind_task_only", "mind")

#: The size that numbers are published for.
FULL = BenchmarkConfig(
    contenders=_DEFAULTS,
    data=SyntheticConfig(),
    training=TrainingConfig(
        max_epochs=20, batch_size=64, learning_rate=1e-3, patience=20, device="cpu"
    ),
)

#: A size that shows in minutes whether everything works; too small to rank methods.
QUICK = BenchmarkConfig(
    contenders=_DEFAULTS,
    data=SyntheticConfig(
        n_train=1500, n_valid=300, n_test=1000, n_probe_train=1000, n_probe_test=1000
    ),
    training=TrainingConfig(
        max_epochs=6, batch_size=64, learning_rate=1e-3, patience=6, device="cpu", seeds=(0,)
    ),
)
