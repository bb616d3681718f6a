import pytest

from models.dmd_config import DMDConfig


@pytest.mark.parametrize(
    "wrong",
    [
        {"edge_scale": 0.0},
        {"prior_temperature": -1.0},
        {"shared_edge_width": 0},
        {"prior_weight": -1.0},
        {"distillation_weight": -0.1},
        {"label_margin": -0.1},
    ],
)
def test_values_outside_their_range_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        DMDConfig(**wrong)
