import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.checkpoint import load_checkpoint
from pipeline.errors import ConfigError, RunError
from pipeline.training import train_seed, train_seeds
from pipeline.training_config import TrainingConfig
from pipeline.training_job import TrainingJob, stored_jobs
from pipeline.training_processes import run_ranks

SHORT = TrainingConfig(
    max_epochs=3, batch_size=8, min_batch=4, device="cpu", seeds=(3, 1), learning_rate=0.01
)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def chosen(dataset, split):
    return {
        "dataset": dataset,
        "split": split,
        "model_name": "concat",
        "model_config": {},
        "config": SHORT,
    }


def weights(folder):
    return load_checkpoint(folder / "model.safetensors").model.state_dict()


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[n], right[n]) for n in left)


def bare(result):
    return [replace(record, seconds=0) for record in result.history]


def children():
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return {
        int(number)
        for number in listed
        if "pipeline.training_worker" in Path(f"/proc/{number}/cmdline").read_text()
    }


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux")
def test_seeds_side_by_side_end_in_the_same_bits_though_one_is_killed(chosen, tmp_path):
    longer = replace(SHORT, max_epochs=12, patience=12)
    alone = train_seeds(**{**chosen, "config": longer}, folder=tmp_path / "alone")
    together = {**chosen, "config": replace(longer, seeds_at_once=2)}
    seen = []

    def kill_the_other(seed, record):
        seen.append((seed, record.epoch))
        if len(seen) == 1:
            os.kill(sorted(children())[1 - longer.seeds.index(seed)], signal.SIGKILL)

    with pytest.raises(RunError, match="its process ended with status -9") as caught:
        train_seeds(**together, folder=tmp_path / "both", on_epoch=kill_the_other)
    assert caught.value.code == "process_died"
    assert not children()
    ((kept, _), *_) = seen
    assert [epoch for seed, epoch in seen if seed == kept] == list(range(12))
    assert [(tmp_path / "both" / f"seed-{seed}" / "result.json").exists() for seed in (3, 1)] == [
        seed == kept for seed in (3, 1)
    ]
    results = train_seeds(**together, folder=tmp_path / "both")
    assert list(results) == [3, 1]
    for seed, result in results.items():
        assert bare(result) == bare(alone[seed])
        found, expected = (weights(tmp_path / name / f"seed-{seed}") for name in ("both", "alone"))
        assert same(found, expected)
    assert not list((tmp_path / "both").rglob("data.safetensors"))


@pytest.mark.slow
def test_two_processes_train_what_one_does(chosen, tmp_path):
    # means over utterances and no dropout, so the gradients are the same but for rounding
    plain = {**chosen, "model_config": {"dropout": 0.0}}
    one = train_seed(**plain, seed=3, folder=tmp_path / "one")
    two = {**plain, "config": replace(SHORT, devices=2, accumulate=1, save_minutes=0)}
    seen = []
    result = train_seed(**two, seed=3, folder=tmp_path / "two", on_epoch=seen.append)
    assert tuple(seen) == result.history
    for record, expected in zip(result.history, one.history, strict=True):
        assert record.total == pytest.approx(expected.total, rel=1e-4)
        assert record.valid_mae == pytest.approx(expected.valid_mae, rel=1e-4)
        assert record.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-3)
    found, expected = weights(tmp_path / "two"), weights(tmp_path / "one")
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)
    assert not same(found, expected)
    left = {path.name for path in (tmp_path / "two").iterdir()}
    assert left == {"model.safetensors", "result.json"}


def test_several_machines_need_torchrun(chosen, tmp_path):
    with (
        stored_jobs(
            **{**chosen, "config": replace(SHORT, nodes=2)}, folders={0: tmp_path / "a"}
        ) as (job,),
        pytest.raises(ConfigError, match="torchrun --nnodes 2 --nproc-per-node 1"),
    ):
        run_ranks(job)


def test_a_job_is_the_same_when_read(chosen, tmp_path, dataset):
    with stored_jobs(**chosen, folders={5: tmp_path / "a", 6: tmp_path / "b"}) as jobs:
        assert [job.seed for job in jobs] == [5, 6]
        for job in jobs:
            assert TrainingJob.from_json(job.as_json()) == job
            assert job.folder.is_absolute()
        jobs[1].run()
        assert weights(tmp_path / "b")
    assert not jobs[0].dataset.exists()
