import pytest

from models.decoupled_config import DecoupledConfig


def test_published_weights():
    config = DecoupledConfig()
    names = ("reconstruction", "cycle", "orthogonality", "margin")
    weights = [getattr(config, f"{name}_weight") for name in names]
    # 0.1 (L_rec + L_cyc + 0.1 (L_ort + L_mar))
    assert weights == pytest.approx([0.1, 0.1, 0.1 * 0.1, 0.1 * 0.1])


@pytest.mark.parametrize(
    "wrong",
    [{"label_margin": -0.1}, {"cycle_weight": -1.0}, {"text_kernel": 0}, {"step_width": 15}],
)
def test_values_outside_their_range_are_named(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=name.removeprefix("text_")):
        DecoupledConfig(**wrong)
