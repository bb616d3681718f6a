import pytest

from pipeline.errors import ConfigError
from pipeline.synthetic.benchmark_config import FULL, QUICK, BenchmarkConfig, benchmark_config
from pipeline.synthetic.contenders import find_contender


def test_the_contenders_of_both_sizes_are_known():
    for config in (FULL, QUICK):
        assert [find_contender(name).name for name in config.contenders]


def test_the_full_size_has_five_seeds_and_the_sizes_of_the_specification():
    assert len(FULL.training.seeds) == 5
    sizes = FULL.data.split_sizes
    assert (sizes["train"], sizes["valid"]) == (6000, 800)
    assert (sizes["probe_train"], sizes["probe_test"]) == (3000, 2000)


@pytest.mark.parametrize("contenders", [(), ("mind", "mind")])
def test_contenders_are_distinct_and_some(contenders):
    with pytest.raises(ConfigError, match="contenders"):
        BenchmarkConfig(contenders=contenders, data=FULL.data, training=FULL.training)


def test_a_size_can_be_changed_in_part():
    assert benchmark_config() == FULL
    assert benchmark_config(quick=True) == QUICK
    config = benchmark_config(
        contenders=["mind"], seeds=3, settings={"data.nuisance_correlation": 0.6}
    )
    assert config.contenders == ("mind",)
    assert config.training.seeds == (0, 1, 2)
    assert config.data.nuisance_correlation == 0.6
    assert config.data.n_train == FULL.data.n_train


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"data.clips": 3}, "clips"),
        ({"training.max_epochs": "many"}, "max_epochs"),
        ({"training.max_epochs": 0}, "max_epochs"),
        ({"model.width": 3}, "model.width"),
        ({"data": 3}, "data"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(settings, named):
    with pytest.raises(ConfigError, match=named):
        benchmark_config(settings=settings)
