import pytest

from pipeline.errors import ConfigError
from pipeline.synthetic.generator_config import SYNTHETIC_SPLITS, SyntheticConfig


def test_splits_have_their_own_sizes_in_order():
    config = SyntheticConfig(n_train=7, n_unlabelled=3, n_valid=4, n_test=5)
    sizes = [7, 3, 4, 5, 5, 5, 3000, 2000]
    assert config.split_sizes == dict(zip(SYNTHETIC_SPLITS, sizes, strict=True))


def test_only_what_is_like_training_is_correlated():
    correlations = SyntheticConfig(nuisance_correlation=0.6).split_correlations
    assert {split for split, rho in correlations.items() if rho == 0.6} == {
        *("train", "unlabelled", "valid", "test_iid"),
    }
    assert correlations["test_reversed"] == -0.6
    assert correlations["test_ood"] == correlations["probe_train"] == 0.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("n_train", 1), ("n_valid", 0), ("n_probe_test", 1), ("n_unlabelled", -1)),
        *(("nuisance_correlation", 1.01), ("missing_rate", 1.0), ("missing_rate", -0.1)),
    ],
)
def test_values_outside_their_range_are_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=name):
        SyntheticConfig(**{name: value})
