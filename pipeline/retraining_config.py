"""When a candidate is trained, and what makes it the champion."""

from dataclasses import dataclass
from typing import ClassVar

from pipeline.errors import ConfigError
from pipeline.metrics import METRIC_NAMES


@dataclass(frozen=True, kw_only=True)
class RetrainingConfig:
    """When a candidate is trained, and what makes it the champion.

    Parameters
    ----------
    min_new_clips : int
        How many clips must be new since the last decision, >= 1: labelled ones, and for a model
        that is trained with a ``split_rate`` unlabelled ones too. Fewer wait for the next time,
        unless something else has changed: labels, features or settings.
    metric : str
        What must be better on the test split, one of :data:`pipeline.metrics.METRIC_NAMES`; of
        classes the accuracy is compared instead.
    confidence : float
        Share of resampled differences that the interval of the improvement holds, 0 to 1 without
        both; a candidate is promoted if the whole interval is above 0.

    Raises
    ------
    ConfigError
        If a value is outside its range.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    min_new_clips: int = 1
    metric: str = "mae"
    confidence: float = 0.95

    def __post_init__(self) -> None:
        rules = {
            "min_new_clips": self.min_new_clips >= 1,
            "metric": self.metric in METRIC_NAMES,
            "confidence": 0 < self.confidence < 1,
        }
        wrong = {name: getattr(self, name) for name, fits in rules.items() if not fits}
        if wrong:
            raise ConfigError(f"retraining: values outside their range: {wrong}")
