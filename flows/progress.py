"""A bar in Prefect's pages for a stage of a run."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast
from uuid import UUID

from httpx import HTTPError
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_logger

#: ``prefect deployment run --watch`` prints a line for every change.
UPDATE_SECONDS = 10.0


class StageProgress:
    """How far a stage is, shown as a progress artifact of the run.

    Threads may share it. A server that does not answer costs the bar and nothing else.

    Parameters
    ----------
    stage : str
        Lower-case letters, digits and dashes; the artifact's key is ``progress-<stage>``.
    total : int
        Steps of the stage, >= 0; 0 is a stage that has nothing to do.
    """

    def __init__(self, stage: str, total: int) -> None:
        self._stage, self._total, self._done = stage, total, 0
        self._finished = False
        self._lock = threading.Lock()
        self._told = time.monotonic()
        self._artifact = self._create()

    def advance(self, steps: int = 1) -> None:
        """Count steps as done.

        Parameters
        ----------
        steps : int
            How many, >= 0.
        """
        with self._lock:
            self._done += steps
            if time.monotonic() - self._told < UPDATE_SECONDS:
                return
            self._told = time.monotonic()
        self._tell(min(1.0, self._done / max(self._total, 1)))

    def finish(self) -> None:
        """Show the stage as complete: a training may stop before its last epoch."""
        self._finished = True
        self._tell(1.0)

    @property
    def _text(self) -> str:
        if self._finished and not self._done:
            return f"{self._stage}: nothing to do"
        end = ", finished" if self._finished else ""
        return f"{self._stage}: {self._done} of {self._total}{end}"

    def _create(self) -> UUID | None:
        try:
            # in a synchronous flow it is no coroutine
            made = create_progress_artifact(
                progress=0.0, key=f"progress-{self._stage}", description=self._text
            )
            return cast(UUID, made)
        except HTTPError as error:
            self._warn(error)
            return None

    def _tell(self, fraction: float) -> None:
        if self._artifact is None:
            return
        try:
            update_progress_artifact(
                artifact_id=self._artifact, progress=100.0 * fraction, description=self._text
            )
        except HTTPError as error:
            self._warn(error)

    def _warn(self, error: HTTPError) -> None:
        get_logger(__name__).warning("progress of %s could not be shown: %s", self._stage, error)


@contextmanager
def stage_progress(stage: str, total: int) -> Iterator[StageProgress]:
    """Show a bar while a stage runs; complete if it ends without an error.

    Parameters
    ----------
    stage : str
        Its name, such as ``extract``.
    total : int
        Its steps.

    Yields
    ------
    StageProgress
        To be advanced.
    """
    progress = StageProgress(stage, total)
    yield progress
    progress.finish()
