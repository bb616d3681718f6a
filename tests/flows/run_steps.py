"""Run steps in flows and print what became of them, as a program: Prefect leaves sockets open."""

import json
import sys
import time

from prefect import flow
from prefect.artifacts import Artifact
from prefect.testing.utilities import prefect_test_harness

from flows.progress import stage_progress
from flows.step_task import step_task
from pipeline.errors import DataError, WorkspaceError


def outcome(step):
    """What a flow of this step returns, or the kind of its error."""

    @flow(name="one-step")
    def one_step():
        return step()

    try:
        return one_step()
    except Exception as error:  # noqa: BLE001
        return type(error).__name__


def failing(*errors):
    """Let a step raise these in turn and then succeed; how it ended, and how often it was tried."""
    left, tried = list(errors), []

    @step_task("step")
    def step():
        tried.append(time.monotonic())
        if left:
            raise left.pop(0)
        return "done"

    return [outcome(step.with_options(retry_delay_seconds=0)), len(tried)]


def too_long():
    tried = []

    @step_task("slow")
    def slow():
        tried.append(1)
        time.sleep(120)

    return [outcome(slow.with_options(timeout_seconds=0.5)), len(tried)]


def stages():
    @step_task("staged")
    def staged():
        with stage_progress("early", 8) as progress:
            progress.advance(3)
        with stage_progress("idle", 0):
            pass
        try:
            with stage_progress("broken", 4):
                raise KeyError
        except KeyError:
            return "done"

    outcome(staged)
    bars = (Artifact.get(f"progress-{key}", _sync=True) for key in ("early", "idle", "broken"))
    return [[bar.data, bar.description] for bar in bars]


if __name__ == "__main__":
    busy = WorkspaceError("another run", code="workspace_in_use")
    with prefect_test_harness(server_startup_timeout=180):
        found = {
            "healed": failing(ConnectionResetError("reset"), busy),
            "never": failing(*(ConnectionResetError("reset") for _ in range(9))),
            "data": failing(DataError("too few labels")),
            "slow": too_long(),
            "stages": stages(),
        }
    sys.stdout.write("\n" + json.dumps(found))
