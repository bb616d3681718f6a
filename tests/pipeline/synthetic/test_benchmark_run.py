import numpy as np
import pytest

from pipeline.errors import StoreError
from pipeline.synthetic.benchmark_run import BenchmarkRun, run_contender
from pipeline.synthetic.contenders import find_contender
from pipeline.training_config import TrainingConfig

TINY = "mind,width=8,heads=1,layers=1,fusion_width=8,statistics_width=8,decoder_width=8"
TRAINING = TrainingConfig(max_epochs=2, batch_size=32, device="cpu")


def run(data, folder, name=TINY, training=TRAINING, **options):
    return run_contender(
        contender=find_contender(name),
        data=data,
        training=training,
        seed=0,
        folder=folder,
        **options,
    )


@pytest.fixture(scope="module")
def stored(small_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    return folder, run(small_data, folder)


def test_a_real_model_is_trained_and_scored(stored):
    _, found = stored
    assert found.failure == ""
    assert found.settings["width"] == 8
    assert found.best_epoch in (0, 1)
    assert "difference" in found.terms
    rows = set(found.card.probes.linear)
    assert {"Z_text", "S_audio", "P_vision", "N_text", "S_mean", "S+P_text"} <= rows
    assert abs(found.card.scores["anything_in_noise"]) < 0.05
    swapped = [score for name, score in found.card.scores.items() if name.startswith("swap_")]
    assert len(swapped) == 4
    assert np.isfinite(swapped).all()


def test_a_finished_run_is_not_done_again(stored, small_data):
    folder, found = stored
    epochs = []
    again = run(small_data, folder, on_epoch=epochs.append)
    assert epochs == []
    assert again.card.probes == found.card.probes
    assert len(list(folder.glob("*.json"))) == 1


def test_other_settings_are_another_run(stored, small_data):
    folder, _ = stored
    epochs = []
    training = TrainingConfig(max_epochs=1, batch_size=32, device="cpu")
    found = run(small_data, folder, TINY + ",disentangle=false", training, on_epoch=epochs.append)
    assert len(epochs) == 1
    assert set(found.card.probes.linear) == {"Z_text", "Z_audio", "Z_vision"}
    assert found.card.dependence == {}


def test_a_contender_sees_its_modalities_only(small_data, tmp_path):
    tiny = TINY.replace("mind", "mind_text_only")
    found = run(small_data, tmp_path, tiny, TrainingConfig(max_epochs=1, device="cpu"))
    assert set(found.card.probes.linear) == {"Z_text"}


def test_a_training_that_diverges_is_a_result_too(small_data, tmp_path):
    wild = TrainingConfig(
        max_epochs=3, batch_size=32, learning_rate=1e30, gradient_clip=None, device="cpu"
    )
    found = run(small_data, tmp_path, training=wild)
    assert found.card is None
    assert "learning rate" in found.failure
    (path,) = tmp_path.glob("*.json")
    assert BenchmarkRun.load(path) == found
    path.write_text("[]")
    with pytest.raises(StoreError, match="run again"):
        BenchmarkRun.load(path)
