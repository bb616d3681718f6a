"""What is generated."""

from dataclasses import dataclass
from typing import ClassVar

from pipeline.errors import ConfigError

#: Splits in the order in which they lie in the data set.
SYNTHETIC_SPLITS = (
    "train",
    "unlabelled",
    "valid",
    "test_iid",
    "test_ood",
    "test_reversed",
    "probe_train",
    "probe_test",
)


@dataclass(frozen=True, kw_only=True)
class SyntheticConfig:
    """Sizes and options of the generated data.

    Parameters
    ----------
    seed : int
        Of factors, lengths, times and noise.
    mixer_seed : int
        Of the mixing matrices, the rotations and the codebook: the same sensors for every seed.
    n_train, n_valid, n_test, n_probe_train, n_probe_test : int
        Clips by split, >= 2; ``n_test`` of each of the three test splits.
    n_unlabelled : int
        Further training clips without a label, >= 0.
    nuisance_correlation : float
        Correlation of each modality's first nuisance factor with the sentiment in training,
        validation and ``test_iid``, within -1 and 1. It is 0 in ``test_ood`` and the probing
        splits, and has the other sign in ``test_reversed``.
    missing_rate : float
        Probability that a clip lacks a modality, in [0, 1); one is always left, and clips of the
        probing splits have all three.
    partial_shared : bool
        Whether the last shared factor, which the sentiment does not depend on, is in text and
        audio only.
    classification : bool
        Whether the label is the sign of the sentiment, -1 or 1.
    token_text : bool
        Whether text comes as word ids too: the nearest of 512 frames of a fixed codebook.
    real_dims : bool
        Whether observations are rotated into the widths of real features.

    Raises
    ------
    ConfigError
        If a value is outside its range.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    seed: int = 0
    mixer_seed: int = 0
    n_train: int = 6000
    n_valid: int = 800
    n_test: int = 2000
    n_probe_train: int = 3000
    n_probe_test: int = 2000
    n_unlabelled: int = 0
    nuisance_correlation: float = 0.0
    missing_rate: float = 0.0
    partial_shared: bool = False
    classification: bool = False
    token_text: bool = False
    real_dims: bool = False

    def __post_init__(self) -> None:
        sizes = ("n_train", "n_valid", "n_test", "n_probe_train", "n_probe_test")
        rules = {name: getattr(self, name) >= 2 for name in sizes} | {
            "n_unlabelled": self.n_unlabelled >= 0,
            "nuisance_correlation": abs(self.nuisance_correlation) <= 1,
            "missing_rate": 0 <= self.missing_rate < 1,
        }
        wrong = {name: getattr(self, name) for name, fits in rules.items() if not fits}
        if wrong:
            raise ConfigError(f"synthetic data: values outside their range: {wrong}")

    @property
    def split_sizes(self) -> dict[str, int]:
        """Split to its number of clips, in the order of ``SYNTHETIC_SPLITS``."""
        sizes = {"unlabelled": self.n_unlabelled}
        for split in SYNTHETIC_SPLITS:
            own = "test" if split.startswith("test") else split
            sizes[split] = getattr(self, f"n_{own}")
        return {split: sizes[split] for split in SYNTHETIC_SPLITS}

    @property
    def split_correlations(self) -> dict[str, float]:
        """Split to the correlation of nuisance and sentiment in it."""
        trained = ("train", "unlabelled", "valid", "test_iid")
        correlations = dict.fromkeys(SYNTHETIC_SPLITS, 0.0)
        correlations |= dict.fromkeys(trained, self.nuisance_correlation)
        return correlations | {"test_reversed": -self.nuisance_correlation}
