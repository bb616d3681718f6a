import shutil
import sys
import time
from pathlib import Path

import pytest

from flows.server import running_process
from flows.watcher import EVENT, videos_trigger, watch, watch_command
from pipeline.errors import SourceError

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_videos"
SERVED = """
import sys
from pathlib import Path
from prefect import flow
from flows.watcher import videos_trigger

@flow(name="noted")
def noted():
    Path(sys.argv[2]).write_text("started")

if __name__ == "__main__":
    noted.serve(name="noted", triggers=[videos_trigger(sys.argv[1])], print_starting_message=False)
"""


def test_the_trigger_is_of_one_folder(tmp_path):
    one, other = (videos_trigger(str(tmp_path / name)) for name in "ab")
    assert one.expect == {EVENT}
    assert one.match != other.match
    assert one.match == videos_trigger(str(tmp_path / "b" / ".." / "a")).match


def test_what_cannot_be_watched(tmp_path):
    with pytest.raises(SourceError, match="no such folder to watch"):
        watch(tmp_path / "none", api="http://127.0.0.1:1/api")
    assert watch_command("x", tmp_path)[1:4] == ["-m", "flows.watcher", "x"]


@pytest.mark.flow
def test_a_dropped_file_starts_a_run(service, tmp_path):
    videos, done, environment = tmp_path / "videos", tmp_path / "done", service.environment
    videos.mkdir()
    shutil.copy(SAMPLES / "sample_01.mp4", videos)
    (tmp_path / "served.py").write_text(SERVED)
    served = [sys.executable, str(tmp_path / "served.py"), str(videos), str(done)]
    command = [*watch_command(str(videos), tmp_path / "work"), "--every", "0.5"]
    command += ["--stable-seconds", "1"]
    log = tmp_path / "watch.log"
    with (
        log.open("wb") as output,
        running_process(command, environment, output=output),
    ):
        # an event that no automation waits for would be lost
        _wait_until(lambda: "waiting: no automation" in log.read_text(), tmp_path)
        with running_process(served, environment | {"PYTHONPATH": str(ROOT)}):
            # it was there, but nothing has ingested it
            _wait_until(done.exists, tmp_path)
            done.unlink()
            # half of it, and then the rest
            content = (SAMPLES / "sample_02.mp4").read_bytes()
            with (videos / "new.mp4").open("wb") as stream:
                for start in range(0, len(content), len(content) // 3 + 1):
                    stream.write(content[start : start + len(content) // 3 + 1])
                    stream.flush()
                    time.sleep(0.7)
                    assert not done.exists()
            _wait_until(done.exists, tmp_path)
    assert log.read_text().count("1 arrived") == 2


def _wait_until(holds, folder):
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline, (folder / "watch.log").read_text()
        time.sleep(0.2)
