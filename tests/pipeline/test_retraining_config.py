import math

import pytest

from pipeline.errors import ConfigError
from pipeline.retraining_config import RetrainingConfig


@pytest.mark.parametrize(
    "settings",
    [{"min_new_clips": 0}, {"metric": "loss"}, {"confidence": 1.0}, {"confidence": math.nan}],
)
def test_settings_are_checked(settings):
    with pytest.raises(ConfigError, match=f"retraining.*{next(iter(settings))}"):
        RetrainingConfig(**settings)
