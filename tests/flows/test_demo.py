import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import flows.demo
from pipeline.errors import ConfigError

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_videos"

pytestmark = [pytest.mark.slow, pytest.mark.flow]


def demo(videos, workspace, config):
    command = [sys.executable, "-m", "flows.demo", "--videos", videos, "--workspace", workspace]
    done = subprocess.run(
        [*command, "--config", config],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def processes_of(workspace):
    """Command lines of running processes that name the workspace."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(workspace) in line:
            found.append(line)
    return found


def test_what_is_set_wrong_is_told_before_anything_starts(tmp_path, capsys):
    config = tmp_path / "c.yaml"
    config.write_text("training: {max_epoch: 1}\n")
    with pytest.raises(ConfigError, match="max_epoch"):
        flows.demo.demo(videos=SAMPLES, workspace=tmp_path / "w", config=config)
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "w").exists()


def test_demo_twice(tmp_path):
    videos, workspace, config = tmp_path / "v", tmp_path / "w", tmp_path / "c.yaml"
    videos.mkdir()
    for stem in ("sample_04", "sample_08", "sample_10"):
        for path in SAMPLES.glob(f"{stem}.*"):
            shutil.copy(path, videos)
    shutil.copy(SAMPLES / "labels.csv", videos)
    config.write_text("training: {seeds: [0], max_epochs: 1, device: cpu}\n")
    first = demo(videos, workspace, config)
    assert "$ prefect deployment run extract-and-train --watch" in first
    assert "covarep: 3 extracted, 0 stored before, 0 failed" in first
    assert "mind on the test split" in first
    page = Path(re.search(r"report: (\S+report\.html)", first)[1])
    assert page.is_file()
    # other settings than the first time: an old deployment must not be taken for the new one
    config.write_text("training: {seeds: [7], max_epochs: 1, device: cpu}\n")
    second = demo(videos, workspace, config)
    for name in ("covarep", "openface", "bert"):
        assert f"{name}: 0 extracted, 3 stored before, 0 failed" in second
    assert page != Path(re.search(r"report: (\S+report\.html)", second)[1])
    assert processes_of(workspace) == []
