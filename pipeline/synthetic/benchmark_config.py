"""What the synthetic benchmark trains, and on what."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

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


# Floor, references without disentanglement, and the methods.
_ALL = (
    *("text_only", "concat", "mind_task_only"),
    *("mind_author", "mind_paper", "mind_strong", "misa", "mird", "dma"),
)

#: The size that numbers are published for.
FULL = BenchmarkConfig(
    contenders=_ALL,
    data=SyntheticConfig(),
    training=TrainingConfig(
        max_epochs=20, batch_size=64, learning_rate=1e-3, patience=20, plateau=1
    ),
)

#: A size that shows in minutes whether everything works; too small to rank methods.
QUICK = BenchmarkConfig(
    contenders=("concat", "mind_author", "mind_strong"),
    data=SyntheticConfig(
        n_train=1500, n_valid=300, n_test=1000, n_probe_train=1000, n_probe_test=1000
    ),
    training=TrainingConfig(
        max_epochs=6, batch_size=64, learning_rate=1e-3, patience=6, plateau=1, seeds=(0,)
    ),
)


def benchmark_config(
    *,
    quick: bool = False,
    contenders: Sequence[str] = (),
    seeds: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> BenchmarkConfig:
    """Choose a size and change some of it.

    Parameters
    ----------
    quick : bool
        Start from ``QUICK`` instead of ``FULL``.
    contenders : sequence of str
        Instead of the size's own, if there are any.
    seeds : int, optional
        Train with the seeds from 0 to one less than this, >= 1.
    settings : mapping of str to object, optional
        ``data.<name>`` and ``training.<name>`` to values, such as
        ``{"data.nuisance_correlation": 0.6}``.

    Returns
    -------
    BenchmarkConfig
        Validated.

    Raises
    ------
    ConfigError
        If a setting is unknown or out of range.
    """
    plain = asdict(QUICK if quick else FULL)
    if contenders:
        plain["contenders"] = tuple(contenders)
    if seeds is not None:
        plain["training"]["seeds"] = tuple(range(seeds))
    for name, value in (settings or {}).items():
        section, _, key = name.partition(".")
        if section not in ("data", "training") or not key:
            raise ConfigError(f"benchmark setting {name!r}: write data.<name> or training.<name>")
        plain[section][key] = value
    try:
        return TypeAdapter(BenchmarkConfig).validate_python(plain)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise ConfigError(f"benchmark: {wrong}") from error
