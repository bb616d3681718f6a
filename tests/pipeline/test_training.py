import contextlib
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error

from benchmarks.killed_training import differences, kill_once, write_job
from models.base import get
from pipeline.checkpoint import load_checkpoint
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError, RunError, StoreError
from pipeline.evaluation import predict
from pipeline.splits import Split
from pipeline.training import train_seed
from pipeline.training_config import TrainingConfig
from pipeline.training_state import SeedResult


class Stop(Exception):  # noqa: N818
    """Stands for whatever ends a process."""


@pytest.fixture
def train(dataset, split, masked_mean, short, tmp_path):
    """Train the small model in ``tmp_path / folder``; any argument may be replaced."""

    def start(folder="a", **changed):
        chosen = {
            "dataset": dataset,
            "split": split,
            "model_name": masked_mean,
            "model_config": {},
            "config": short,
            "seed": 0,
            "folder": tmp_path / folder,
        }
        return train_seed(**(chosen | changed))

    return start


@pytest.fixture
def weights(tmp_path):
    def read(folder="a"):
        return load_checkpoint(tmp_path / folder / "model.safetensors").model.state_dict()

    return read


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)


def test_it_learns(train, dataset, split, tmp_path, short):
    result = train(config=replace(short, max_epochs=40, patience=40))
    first, best = result.history[0], result.history[result.best_epoch]
    assert best.valid_mae < 0.6 * first.valid_mae
    assert best.terms["task"] < first.terms["task"]
    checkpoint = load_checkpoint(tmp_path / "a" / "model.safetensors")
    index = dataset.positions(split.test)
    scores = predict(
        model=checkpoint.model, normaliser=checkpoint.normaliser, dataset=dataset, index=index
    )
    target = dataset.labels[index]
    assert np.corrcoef(scores, target)[0, 1] > 0.8


def test_the_kept_weights_are_those_of_the_smallest_validation_error(
    train, dataset, split, tmp_path, short
):
    result = train(config=replace(short, max_epochs=12, learning_rate=0.3, patience=12))
    errors = [record.valid_mae for record in result.history]
    assert result.best_epoch == int(np.argmin(errors))
    assert result.best_epoch != len(errors) - 1
    checkpoint = load_checkpoint(tmp_path / "a" / "model.safetensors")
    index = dataset.positions(split.valid)
    scores = predict(
        model=checkpoint.model, normaliser=checkpoint.normaliser, dataset=dataset, index=index
    )
    assert mean_absolute_error(dataset.labels[index], scores) == pytest.approx(
        min(errors), rel=1e-5
    )


def test_the_oracle_keeps_the_epoch_of_the_smallest_test_error(
    train, weights, dataset, split, tmp_path, short
):
    config = replace(short, max_epochs=12, learning_rate=0.3, patience=12)
    usual = train(config=config)
    oracle = train(folder="b", config=replace(config, selection="test_oracle"))
    # the same training, of which another epoch is kept
    assert [record.valid_mae for record in oracle.history] == [
        record.valid_mae for record in usual.history
    ]
    assert {record.test_mae for record in usual.history} == {None}
    errors = [record.test_mae for record in oracle.history]
    assert oracle.best_epoch == int(np.argmin(errors)) != usual.best_epoch
    assert not same(weights("a"), weights("b"))
    checkpoint = load_checkpoint(tmp_path / "b" / "model.safetensors")
    index = dataset.positions(split.test)
    scores = predict(
        model=checkpoint.model, normaliser=checkpoint.normaliser, dataset=dataset, index=index
    )
    assert mean_absolute_error(dataset.labels[index], scores) == pytest.approx(min(errors), 1e-5)
    assert SeedResult.load(tmp_path / "b" / "result.json").best_epoch == oracle.best_epoch


def test_the_oracle_needs_a_test_split(train, split, short):
    with pytest.raises(DataError, match="test_oracle needs 1 or more"):
        train(config=replace(short, selection="test_oracle"), split=replace(split, test=()))


def with_labels(dataset, ids, values):
    labels = dataset.labels.clone()
    labels[dataset.positions(ids)] = values
    return replace(dataset, labels=labels)


@pytest.mark.parametrize("garbage", [float("nan"), 3.0, -1e30])
def test_labels_of_the_test_split_cannot_change_anything(train, weights, dataset, split, garbage):
    clean = train("clean")
    spoilt = train("spoilt", dataset=with_labels(dataset, split.test, garbage))
    assert same(weights("clean"), weights("spoilt"))
    assert [r.valid_mae for r in clean.history] == [r.valid_mae for r in spoilt.history]
    # the same change to the training split does change the weights: the test can fail
    train("other", dataset=with_labels(dataset, split.train[:4], 3.0))
    assert not same(weights("clean"), weights("other"))


def test_features_of_the_test_split_cannot_change_anything(
    train, weights, tmp_path, dataset, split
):
    def spoil(ids):
        modalities = {}
        for name, ragged in dataset.modalities.items():
            values = ragged.values.clone()
            for i in dataset.positions(ids).tolist():
                values[ragged.offsets[i] : ragged.offsets[i + 1]] = 1e4
            modalities[name] = replace(ragged, values=values)
        return replace(dataset, modalities=modalities)

    train("clean")
    train("spoilt", dataset=spoil(split.test))
    assert same(weights("clean"), weights("spoilt"))
    clean, spoilt = (
        load_checkpoint(tmp_path / folder / "model.safetensors").normaliser
        for folder in ("clean", "spoilt")
    )
    assert same(clean.mean, spoilt.mean)
    assert same(clean.scale, spoilt.scale)
    train("other", dataset=spoil(split.train[:2]))
    assert not same(weights("clean"), weights("other"))


def test_unlabelled_utterances_are_not_learned_from(train, weights, dataset, split):
    hidden = with_labels(dataset, split.train[5:9], float("nan"))
    train("unlabelled", dataset=hidden)
    fewer = replace(split, train=split.train[:5] + split.train[9:])
    train("left out", split=fewer)
    assert same(weights("unlabelled"), weights("left out"))


@pytest.mark.parametrize("at", [0, 1, 3, 5])
def test_stopped_after_an_epoch_it_ends_in_the_same_bits(train, weights, at):
    whole = train("whole")

    def stop(record):
        if record.epoch == at:
            raise Stop

    with pytest.raises(Stop):
        train("halves", on_epoch=stop)
    seen = []
    resumed = train("halves", on_epoch=lambda record: seen.append(record.epoch))
    assert seen == list(range(at + 1, 6))
    assert same(weights("whole"), weights("halves"))
    assert [replace(r, seconds=0) for r in resumed.history] == [
        replace(r, seconds=0) for r in whole.history
    ]


def test_stopped_many_times_inside_epochs_it_ends_in_the_same_bits(
    train, weights, monkeypatch, short
):
    config = replace(short, max_epochs=12, learning_rate=0.3, plateau=1)
    train("whole", config=config)
    step, left = get("masked_mean").after_step, [0]

    def sometimes_stop(self, *arguments):
        left[0] -= 1
        if left[0] == 0:
            raise Stop
        step(self, *arguments)

    monkeypatch.setattr(get("masked_mean"), "after_step", sometimes_stop)
    stops = 0
    for patience in (2, 5, 4, 7, 3, 8, 5, 10, 1000):
        left[0] = patience
        try:
            train("parts", config=config)
        except Stop:
            stops += 1
    assert stops == 8
    assert same(weights("whole"), weights("parts"))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_stopped_inside_epochs_it_loses_no_more_than_a_step(
    train, weights, monkeypatch, short, accumulate
):
    config = replace(short, batch_size=5, min_batch=2, accumulate=accumulate, save_minutes=0)
    whole = train("whole", config=config)
    step, left, calls = get("masked_mean").after_step, [0], [0]

    def sometimes_stop(self, *arguments):
        left[0] -= 1
        if left[0] == 0:
            raise Stop
        calls[0] += 1
        step(self, *arguments)

    monkeypatch.setattr(get("masked_mean"), "after_step", sometimes_stop)
    for patience in (2, 3, 1, 4, 5, 2, 6, 7):
        left[0] = patience
        with pytest.raises(Stop):
            train("parts", config=config)
    left[0] = 1000
    parts = train("parts", config=config)
    assert same(weights("whole"), weights("parts"))
    assert [replace(r, seconds=0) for r in parts.history] == [
        replace(r, seconds=0) for r in whole.history
    ]
    # 6 epochs of 5 batches; what was begun of a step is done again
    assert 30 <= calls[0] <= 30 + 8 * (accumulate - 1)


def test_norms_of_terms_change_nothing(train, weights, short):
    with_norms = train("with", config=replace(short, gradient_norms=1))
    without = train("without", config=replace(short, gradient_norms=0))
    assert same(weights("with"), weights("without"))
    assert [replace(r, seconds=0, gradient_norms={}) for r in with_norms.history] == [
        replace(r, seconds=0) for r in without.history
    ]
    assert {name for r in with_norms.history for name in r.gradient_norms} == {"task", "size"}
    assert {tuple(r.gradient_norms) for r in without.history} == {()}


def test_leftovers_of_killed_writes_are_removed(train, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".x1.part").write_text("half")
    train()
    assert {path.name for path in (tmp_path / "a").iterdir()} == {
        "model.safetensors",
        "result.json",
    }


@pytest.mark.slow
def test_killed_in_the_middle_of_steps_and_writes_it_ends_in_the_same_bits(tmp_path):
    threads = torch.get_num_threads()
    try:
        whole = write_job(tmp_path, utterances=60, epochs=20, model="concat")
        whole.run()
        job = replace(whole, folder=tmp_path / "killed")
        # counted from the first save of a process, of which there is one a step
        kills = [kill_once(job, after=after, at_start=False) for after in (0.02, 0.07)]
        assert all(kills)
        assert (kills[1].epochs, kills[1].steps) > (0, 0)
        job.run()
    finally:
        torch.set_num_threads(threads)
    assert differences(whole.folder, job.folder) == []
    left = {path.name for path in job.folder.iterdir()}
    assert left == {"model.safetensors", "result.json"}


def test_a_finished_seed_is_not_trained_again(train, tmp_path):
    first = train()
    before = (tmp_path / "a" / "model.safetensors").stat().st_mtime_ns
    again = train(on_epoch=lambda record: pytest.fail("trained again"))
    assert again == first
    assert (tmp_path / "a" / "model.safetensors").stat().st_mtime_ns == before


def test_a_folder_of_another_training_is_refused(train, dataset, short):
    train("done")
    with contextlib.suppress(Stop):
        train("begun", on_epoch=lambda record: (_ for _ in ()).throw(Stop))
    for folder in ("done", "begun"):
        for change in (
            {"seed": 1},
            {"config": replace(short, learning_rate=0.02)},
            {"model_config": {"dropout": 0.1}},
            {"dataset": replace(dataset, digest="other")},
        ):
            with pytest.raises(RunError, match=folder):
                train(folder, **change)


def test_seeds_device_and_spelt_out_defaults_do_not_make_it_another(train, short):
    first = train()
    same_training = replace(short, seeds=(7, 8), device="auto")
    assert train(config=same_training, model_config={"dropout": 0.2}) == first


def test_damaged_files_are_named(train, tmp_path):
    with contextlib.suppress(Stop):
        train(on_epoch=lambda record: (_ for _ in ()).throw(Stop))
    state = tmp_path / "a" / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-5])
    with pytest.raises(StoreError, match=str(state)):
        train()
    state.unlink()
    train()
    (tmp_path / "a" / "result.json").write_text("{")
    with pytest.raises(StoreError, match=r"result\.json"):
        train()


def test_random_numbers_before_and_after_do_not_mix(train, weights):
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    train("a")
    assert torch.equal(torch.rand(4), expected)
    torch.manual_seed(99)
    train("b")
    assert same(weights("a"), weights("b"))
    train("c", seed=1)
    assert not same(weights("a"), weights("c"))


def test_patience_ends_it_and_the_plateau_halves_the_rate(train, short):
    config = replace(short, max_epochs=60, learning_rate=0.5, patience=6, plateau=1)
    history = train(config=config).history
    errors = [record.valid_mae for record in history]
    assert len(history) < 60
    assert len(history) - 1 - int(np.argmin(errors)) == 6
    rates = [record.learning_rate for record in history]
    assert rates[0] == 0.5
    assert rates[-1] < rates[0]
    assert {b / a for a, b in itertools.pairwise(rates)} == {1.0, 0.5}


def test_it_says_nothing(train, capfd):
    train()
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_learns_the_same_as_the_cpu(train, weights, short):
    # without dropout, since the two devices draw different random numbers
    plain = {"model_config": {"dropout": 0.0}}
    cpu = train("cpu", **plain)
    gpu = train("gpu", config=replace(short, device="cuda"), **plain)
    assert gpu.device == "cuda"
    assert [r.valid_mae for r in gpu.history] == pytest.approx(
        [r.valid_mae for r in cpu.history], rel=1e-3
    )
    for name, value in weights("cpu").items():
        torch.testing.assert_close(weights("gpu")[name], value, rtol=1e-3, atol=1e-4)


def test_splits_of_another_data_set_are_refused(train, dataset):
    strange = Split(train=("x1", "x2"), valid=dataset.ids[:2], test=())
    with pytest.raises(DataError, match=r"2 of 2 segments.*'x1'"):
        train(split=strange)


def test_one_modality_is_enough(train, dataset):
    text = PackedDataset(
        modalities={"text": dataset.modalities["text"]},
        labels=dataset.labels,
        ids=dataset.ids,
        digest="text only",
    )
    assert len(train(dataset=text, config=TrainingConfig(max_epochs=1, device="cpu")).history) == 1
