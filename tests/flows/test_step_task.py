"""Steps as Prefect runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.healing import RETRIES

pytestmark = [pytest.mark.slow, pytest.mark.flow]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("run_steps.py")],
        env=os.environ | {"PREFECT_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_what_heals_is_tried_again(found):
    assert found["healed"] == ["done", 3]


def test_not_for_ever(found):
    assert found["never"] == ["ConnectionResetError", 1 + RETRIES]


def test_what_does_not_heal_is_not(found):
    assert found["data"] == ["DataError", 1]


def test_a_step_that_takes_too_long_is_stopped_once_and_for_all(found):
    assert found["slow"] == ["TaskRunTimeoutError", 1]


def test_a_stage_is_a_bar(found):
    assert found["stages"] == [
        [100.0, "early: 3 of 8, finished"],
        [100.0, "idle: nothing to do"],
        [0.0, "broken: 0 of 4"],
    ]
