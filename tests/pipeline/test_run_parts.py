import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import run_parts
from pipeline.checkpoint import build_model, load_checkpoint, plain_model_config, read_tensors
from pipeline.dataset import PackedDataset
from pipeline.errors import StoreError
from pipeline.randomness import mixed_seed, seeded
from pipeline.run_parts import load_parts, save_parts
from pipeline.runs import train_run
from pipeline.splits import Split
from pipeline.training_config import TrainingConfig
from tests.pipeline.conftest import make_examples

SMALL = {
    "backbone": "frames",
    "width": 8,
    "shared_width": 8,
    "private_width": 8,
    "statistics_width": 8,
    "decoder_width": 8,
    "fusion_width": 8,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """MInD after one epoch."""
    runs_folder = tmp_path_factory.mktemp("runs")
    dataset = PackedDataset.pack(make_examples(), digest="synthetic")
    report = train_run(
        dataset=dataset,
        split=Split(train=dataset.ids[:24], valid=dataset.ids[24:32], test=dataset.ids[32:]),
        model_name="mind",
        model_config=SMALL,
        training=TrainingConfig(
            max_epochs=1, batch_size=8, min_batch=4, learning_rate=0.03, device="cpu", seeds=(5,)
        ),
        runs_folder=runs_folder,
    )
    return runs_folder / report.id


@pytest.fixture
def mind_run(trained, tmp_path):
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def expected(model, checkpoint, dataset, ids):
    with torch.no_grad(), seeded(0):
        batch = checkpoint.fit(dataset).batch(dataset.positions(ids), checkpoint.normaliser)
        return model.eval()(batch).parts


def test_the_parts_are_those_of_the_checkpoint_and_of_the_untrained_model(mind_run, dataset, split):
    parts = load_parts(mind_run)
    assert parts.ids == split.test
    assert parts.seed == 5
    assert np.array_equal(parts.target, dataset.labels[dataset.positions(split.test)].numpy())
    checkpoint = load_checkpoint(mind_run / "seed-5" / "model.safetensors")
    with seeded(mixed_seed(5, "weights")):
        fresh = build_model("mind", plain_model_config("mind", SMALL), dataset.dimensions)
    after = expected(checkpoint.model, checkpoint, dataset, split.test)
    before = expected(fresh, checkpoint, dataset, split.test)
    assert set(parts.after) == {"S", "P", "N", "Z"}
    assert set(parts.before) == {"S", "P", "N"}
    for found, wanted in ((parts.after, after), (parts.before, before)):
        for part, codes in found.items():
            assert list(codes) == ["text", "audio", "vision"]
            for name, values in codes.items():
                assert np.allclose(values, wanted[part][name].numpy(), rtol=2e-3, atol=2e-3)
    moved = np.abs(parts.after["S"]["text"] - parts.before["S"]["text"]).max()
    assert moved > 1e-3


def test_a_part_of_a_large_split_is_kept(mind_run, dataset, split, monkeypatch):
    monkeypatch.setattr(run_parts, "MOST_UTTERANCES", 3)
    save_parts(
        folder=mind_run,
        dataset=dataset,
        split=split,
        model_config=plain_model_config("mind", SMALL),
        seed=5,
        device="cpu",
    )
    parts = load_parts(mind_run)
    assert len(parts.ids) == 3
    assert set(parts.ids) < set(split.test)
    assert parts.after["Z"]["vision"].shape == (3, 8)


@pytest.mark.usefixtures("no_room")
def test_without_room_on_the_device_values_stay_on_the_host(mind_run, dataset, split):
    (mind_run / run_parts.FILE).rename(mind_run / "moved.safetensors")
    save_parts(
        folder=mind_run,
        dataset=dataset,
        split=split,
        model_config=plain_model_config("mind", SMALL),
        seed=5,
        device="cpu",
    )
    moved, hosted = (mind_run / name for name in ("moved.safetensors", run_parts.FILE))
    assert hosted.read_bytes() == moved.read_bytes()


def test_numbers_beyond_half_precision_are_kept_whole():
    assert run_parts._half(torch.tensor([1.0, 7e4])).dtype == torch.float32
    found = run_parts._half(torch.tensor([1.0, float("nan")]))
    assert found.dtype == torch.float16
    assert found.tolist() == [1.0, 0.0]


def test_a_model_without_parts_leaves_none(run, tmp_path):
    report = run()
    folder = tmp_path / "runs" / report.id
    assert not (folder / run_parts.FILE).exists()
    assert load_parts(folder) is None


def test_damaged_parts_are_named(mind_run):
    path = mind_run / run_parts.FILE
    tensors, header = read_tensors(path)
    run_parts.write_tensors(path, {"a/b": tensors["target"]} | tensors, header)
    with pytest.raises(StoreError, match=r"parts\.safetensors"):
        load_parts(mind_run)
    path.write_bytes(b"")
    with pytest.raises(StoreError, match=r"parts\.safetensors"):
        load_parts(mind_run)
