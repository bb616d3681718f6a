import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from flows.runners import task_runner
from pipeline.config import RunConfig

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PYTHONPATH": str(ROOT),
    # on a busy machine Ray takes longer than the 30 s that it gives itself
    "RAY_raylet_start_wait_time_s": "300",
}


def test_a_runner_that_is_not_installed_is_told(monkeypatch):
    from pipeline.errors import ConfigError

    for name in ("prefect_dask.task_runners", "prefect_ray.task_runners"):
        monkeypatch.setitem(sys.modules, name, None)
    for runner in ("dask", "ray"):
        with pytest.raises(ConfigError, match=rf"pip install 'winnow\[{runner}\]'"):
            task_runner(RunConfig(runner=runner))


@pytest.mark.parametrize(("jobs", "threads"), [(1, 2), (16, 2), (17, 3), (64, 5)])
def test_threads_keep_the_pool_busy(jobs, threads):
    """The next shard, of at least 16 clips, waits while the last clips of one are at work."""
    assert task_runner(RunConfig(jobs=jobs))._max_workers == threads


@pytest.mark.slow
@pytest.mark.flow
def test_every_runner_stores_the_same_bytes(tmp_path, make_clip):
    """Threads, a Dask scheduler with two workers, and Ray; a second run makes no task."""
    for number in range(6):
        make_clip(path=f"videos/{number:02}.wav", picture=None, seconds=0.3 + number / 100)
    (tmp_path / "videos" / "broken.wav").write_bytes(b"RIFF")
    runners = ["local", "dask", *(["ray"] if find_spec("ray") else [])]
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("extract_with.py"), tmp_path, *runners],
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    gone = lines.pop()
    assert [line["runner"] for line in lines] == runners
    for line in lines:
        assert line["extracted"] == [{"covarep": 6}, {"covarep": 0}]
        assert line["failed"] == []
        assert line["tasks"] == [6, 0]
        assert line["files"] == lines[0]["files"]
    assert len(lines[0]["files"]) == 7
    # an incident, which a webhook is told of
    assert (gone["runner"], gone["state"]) == ("none", "FAILED")
    assert (
        "all 6 clips that were missing failed, 6 times in all and 6 with missing_file"
        in (gone["message"])
    )
