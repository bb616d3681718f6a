import pytest

from pipeline.errors import ConfigError
from pipeline.synthetic.benchmark_config import FULL, QUICK, BenchmarkConfig
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
