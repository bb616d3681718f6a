import errno
import sqlite3
import urllib.error
from email.message import Message

import pytest
from prefect.states import Failed
from prefect.task_engine import TaskRunTimeoutError

from flows.healing import heals, is_passing
from pipeline.errors import ConfigError, DataError, SourceError, StoreError, WorkspaceError


def caused(error, cause):
    error.__cause__ = cause
    return error


def http_error(status):
    return urllib.error.HTTPError("http://host/", status, "reason", Message(), None)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("reset"),
        TimeoutError("no answer"),
        OSError(errno.ENETUNREACH, "network unreachable"),
        OSError(errno.ESTALE, "stale handle"),
        http_error(503),
        http_error(429),
        sqlite3.OperationalError("database is locked"),
        WorkspaceError("held", code="workspace_in_use"),
        SourceError("not fetched", code="download_failed"),
        caused(StoreError("bucket"), ConnectionRefusedError("refused")),
    ],
    ids=repr,
)
def test_what_passes_is_tried_again(error):
    assert is_passing(error)
    assert heals(None, None, Failed(data=error))


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("unknown setting"),
        DataError("too few labels"),
        caused(DataError("too few labels"), ConnectionResetError("reset")),
        WorkspaceError("full", code="disk_full"),
        StoreError("damaged"),
        SourceError("no such folder", code="missing_folder"),
        TaskRunTimeoutError("task took too long"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        OSError(errno.ENOSPC, "no space"),
        http_error(404),
        sqlite3.OperationalError("no such table: run"),
        ValueError("anything else"),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_what_would_only_fail_again_is_not(error):
    assert not is_passing(error)
    assert not heals(None, None, Failed(data=error))


def test_a_state_without_an_exception_is_not_tried_again():
    assert not heals(None, None, Failed(message="gone"))


def test_a_circle_of_causes_has_an_end():
    error = StoreError("a")
    error.__cause__ = caused(StoreError("b"), error)
    assert not is_passing(error)
