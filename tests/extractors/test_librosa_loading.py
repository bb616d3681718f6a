import fcntl
import os
import subprocess
import sys

import pytest

from extractors.librosa_loading import COMPILING, load_librosa, lock_path

LOADING = "from extractors.librosa_loading import load_librosa; print(load_librosa().__name__)"


def test_what_compiles_is_loaded():
    assert load_librosa().__name__ == "librosa"
    assert {f"librosa.{name}" for name in COMPILING} <= set(sys.modules)


@pytest.mark.slow
def test_one_process_waits_for_another(tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    lock = tmp_path / lock_path().name
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = subprocess.Popen(
            [sys.executable, "-c", LOADING], env=environment, stdout=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=8)
    said, _ = waiting.communicate(timeout=100)
    assert (waiting.returncode, said.strip()) == (0, "librosa")
