from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.synthetic.benchmark import run_synthetic_benchmark
from pipeline.synthetic.benchmark_config import BenchmarkConfig
from pipeline.training_config import TrainingConfig

_TINY = ",width=8,heads=1,layers=1,fusion_width=8,statistics_width=8,decoder_width=8"


@pytest.fixture(scope="module")
def config(small_config):
    return BenchmarkConfig(
        contenders=("mind_text_only" + _TINY, "mind" + _TINY),
        data=replace(small_config, n_probe_train=200, n_probe_test=150),
        training=TrainingConfig(max_epochs=1, batch_size=32, device="cpu", seeds=(0, 1)),
    )


@pytest.mark.slow
def test_all_contenders_and_seeds_are_run_once(config, tmp_path):
    seen = []

    def on_progress(name, seed, record):
        seen.append((name, seed, record.epoch))

    result = run_synthetic_benchmark(config=config, folder=tmp_path, on_progress=on_progress)
    text_only, mind = config.contenders
    assert [(run.contender, run.seed) for run in result.runs] == [
        *((text_only, 0), (text_only, 1), (mind, 0), (mind, 1)),
    ]
    assert len(seen) == 4
    assert len({run.data for run in result.runs}) == 2
    assert len(list(tmp_path.glob("*.json"))) == 4
    page = result.table.read_text()
    means = [run.card.scores["r2_test_iid"] for run in result.runs if run.contender == mind]
    assert f"| {mind} | 2 | {np.mean(means):.3f} ± {np.std(means, ddof=1):.3f} |" in page
    assert result.heat_map.read_bytes().startswith(b"\x89PNG")

    again = run_synthetic_benchmark(config=config, folder=tmp_path, on_progress=on_progress)
    assert len(seen) == 4
    assert again.table.read_text() == page


def test_an_unknown_contender_is_refused_before_anything_is_trained(config, tmp_path):
    wrong = replace(config, contenders=(*config.contenders, "nobody"))
    with pytest.raises(ConfigError, match="nobody"):
        run_synthetic_benchmark(config=wrong, folder=tmp_path)
    assert not list(tmp_path.iterdir())
