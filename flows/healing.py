"""Which failures heal by themselves, so that a task is tried again."""

import errno
import sqlite3
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import PrefectException
from prefect.task_engine import TaskRunTimeoutError
from prefect.tasks import Task

from pipeline.errors import ConfigError, DataError, PipelineError

#: What a task is given that meets such a failure: three more attempts, 10 s to 15 min apart.
RETRIES: Final = 3
RETRY_DELAYS: Final = [10.0, 60.0, 900.0]

_CODES = frozenset(("workspace_in_use", "download_failed", "store_unreachable"))
_ERRNOS = frozenset(
    (errno.EAGAIN, errno.EINTR, errno.ESTALE, errno.ENETUNREACH, errno.EHOSTUNREACH)
)
_BUSY = ("database is locked", "database table is locked", "database is busy")


def heals(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Say whether a failed task is worth another attempt, as Prefect's ``retry_condition_fn``.

    Parameters
    ----------
    task : Task
        Not needed.
    run : TaskRun
        Not needed.
    state : State
        The failure.

    Returns
    -------
    bool
        As :func:`is_passing` of its exception.
    """
    del task, run
    error = state.data
    return isinstance(error, BaseException) and is_passing(error)


def is_passing(error: BaseException) -> bool:
    """Say whether an error is likely to be gone in a while.

    Parameters
    ----------
    error : BaseException
        What was raised, with its causes.

    Returns
    -------
    bool
        True for a network that does not answer, a locked database and a workspace in which another
        run is at work. False for settings and data that are wrong, a full disk, and a step that
        took longer than it may: these would only fail again.
    """
    if isinstance(error, TaskRunTimeoutError | ConfigError | DataError):
        return False
    causes = list(_causes(error))
    if any(isinstance(cause, PipelineError) and cause.code in _CODES for cause in causes):
        return True
    return any(_is_passing(cause) for cause in causes)


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return any(text in str(error) for text in _BUSY)
    if isinstance(error, PrefectException):
        return False
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    status = getattr(error, "code", None)
    if isinstance(error, OSError) and isinstance(status, int):
        # urllib's HTTPError
        return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, OSError) and error.errno in _ERRNOS


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        hidden = found.__suppress_context__
        found = found.__cause__ or (None if hidden else found.__context__)
