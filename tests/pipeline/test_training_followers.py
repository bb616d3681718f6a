import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.splits import Split
from pipeline.training_followers import follow

ROOT = Path(__file__).parents[2]

#: Every process writes what its weights and buffers are at the end.
SCRIPT = """
    import hashlib, json, sys
    from pathlib import Path
    from pipeline.dataset import PackedDataset
    from pipeline.splits import Split
    from pipeline.training import train_seed
    from pipeline.training_config import TrainingConfig
    from pipeline.training_followers import follow
    from pipeline.training_loop import TrainingLoop
    from pipeline.training_ranks import rank

    folder = Path(sys.argv[1])
    run = TrainingLoop.run

    def run_and_tell(loop, **arguments):
        state = run(loop, **arguments)
        found = {
            name: hashlib.sha256(value.detach().contiguous().numpy().tobytes()).hexdigest()
            for name, value in loop.model.state_dict().items()
        }
        (folder / f"{loop.model.name}-{rank()}.json").write_text(json.dumps(found))
        return state

    TrainingLoop.run = run_and_tell
    if not follow():
        for name in ("self_mm", "mird"):
            train_seed(
                dataset=PackedDataset.load(folder / "data.safetensors"),
                split=Split.load(folder / "split.json"),
                model_name=name,
                model_config={},
                config=TrainingConfig(
                    max_epochs=2, batch_size=8, min_batch=4, device="cpu", devices=2, accumulate=2,
                    split_rate=int(name == "mird"), save_minutes=0,
                ),
                seed=1,
                folder=folder / name,
            )
"""


def test_without_torchrun_there_is_nobody_to_follow(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert not follow()


@pytest.mark.slow
def test_processes_of_torchrun_end_in_the_same_bits(dataset, tmp_path):
    # memories of utterances that were seen and estimators outside of the graph, both of the whole
    # batch, and unlabelled utterances
    labels = dataset.labels.clone()
    labels[32:] = float("nan")
    replace(dataset, labels=labels).save(tmp_path / "data.safetensors")
    Split(train=dataset.ids[:25], valid=dataset.ids[25:32], test=()).save(tmp_path / "split.json")
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", str(tmp_path / "script.py"), str(tmp_path)),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("self_mm", "mird"):
        first, second = (
            json.loads((tmp_path / f"{name}-{number}.json").read_text()) for number in (0, 1)
        )
        assert len(first) > 10
        assert first == second
        left = {path.name for path in (tmp_path / name).iterdir()}
        assert left == {"model.safetensors", "result.json"}
        history = json.loads((tmp_path / name / "result.json").read_text())["history"]
        assert len(history) == 2
    assert "estimators" in history[0]["terms"]
