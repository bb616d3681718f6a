"""Finished runs are logged to MLflow, once, and never at the cost of a training."""

import json
import logging
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.atomic import write_text
from pipeline.chain import Project
from pipeline.champion import Champion
from pipeline.errors import WorkspaceError
from pipeline.failure_log import record_failures
from pipeline.records import Failure
from pipeline.report import RunReport
from pipeline.run_folder import is_complete, load_run
from pipeline.workspace import Workspace
from pipeline.workspace_lock import workspace_lock

if TYPE_CHECKING:
    from pipeline.mlflow_runs import MlflowRuns

_LOG = logging.getLogger(__name__)
_STEP = "tracking"
#: Said before MLflow is imported, where the user has not said otherwise.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "DO_NOT_TRACK": "true",
    # a server that is down is asked again with the next run
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What was logged.

    Parameters
    ----------
    logged : tuple of str
        Runs that were logged now.
    present : tuple of str
        Runs that had been logged before.
    failure : str
        Why the rest was not, or empty.
    """

    logged: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    failure: str = ""


def tracking_is_on(project: Project) -> bool:
    """Tell whether runs are logged.

    Parameters
    ----------
    project : Project
        Settings.

    Returns
    -------
    bool
        False for ``tracking.mode=off``, and where the environment says ``WINNOW_TRACKING=off``.
    """
    allowed = os.environ.get("WINNOW_TRACKING", "on").strip().lower() != "off"
    return allowed and project.config.tracking.mode == "on"


def tracking_uri(project: Project) -> str:
    """Say where runs are logged.

    Parameters
    ----------
    project : Project
        Workspace and settings.

    Returns
    -------
    str
        For ``mlflow ui --backend-store-uri``.
    """
    database = project.workspace.root.resolve() / "mlflow.db"
    return project.config.tracking.uri or f"sqlite:///{database}"


def track_run(project: Project, report: RunReport) -> Tracked:
    """Log a finished run, what was missed before, and who is the champion.

    What fails is a warning and a recorded failure, never an error: the run is complete, and the
    next call or ``winnow track`` logs it.

    Parameters
    ----------
    project : Project
        Workspace and settings.
    report : RunReport
        Of a complete run in the workspace.

    Returns
    -------
    Tracked
        Nothing if tracking is off or everything was logged before, which is told by a file of the
        workspace without asking MLflow.
    """
    if not tracking_is_on(project):
        return Tracked()
    known = _Known.load(project)
    if known.has(report) and known.champion == _champion(project.workspace):
        return Tracked(present=(report.id,))
    waiting = [r for r in _complete_runs(project.workspace, known.missed) if r.id != report.id]
    return _track(project, [*waiting, report], ask=False)


def track_champion(project: Project) -> Tracked:
    """Let MLflow's alias ``champion`` follow the workspace's champion.

    Parameters
    ----------
    project : Project
        Workspace and settings.

    Returns
    -------
    Tracked
        As :func:`track_run`.
    """
    if not tracking_is_on(project):
        return Tracked()
    known = _Known.load(project)
    if known.champion == _champion(project.workspace) and not known.missed:
        return Tracked()
    return _track(project, _complete_runs(project.workspace, known.missed), ask=False)


def track_all(project: Project) -> Tracked:
    """Log every complete run of the workspace that MLflow does not know.

    Parameters
    ----------
    project : Project
        Workspace and settings.

    Returns
    -------
    Tracked
        By asking MLflow, whatever the workspace remembers; also if tracking is off.
    """
    names = sorted(path.parent.name for path in project.workspace.runs.glob("*/report.json"))
    return _track(project, _complete_runs(project.workspace, names), ask=True)


@dataclass(kw_only=True)
class _Known:
    """What the workspace remembers of one server: a run's time of creation, and the champion."""

    path: Path
    uri: str
    runs: dict[str, str]
    missed: list[str]
    champion: str | None

    @classmethod
    def load(cls, project: Project) -> "_Known":
        path = project.workspace.root / "tracking.json"
        uri = tracking_uri(project)
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError):
            # no more than a memory: MLflow is asked
            found = {}
        if not isinstance(found, dict) or found.get("uri") != uri:
            found = {}
        return cls(
            path=path,
            uri=uri,
            runs=dict(found.get("runs", {})),
            missed=list(found.get("missed", [])),
            champion=found.get("champion"),
        )

    def has(self, report: RunReport) -> bool:
        return self.runs.get(report.id) == report.created and not self.missed

    def save(self) -> None:
        fields = {"uri": self.uri, "runs": self.runs, "missed": self.missed}
        write_text(self.path, json.dumps(fields | {"champion": self.champion}, indent=1))


def _champion(workspace: Workspace) -> str | None:
    return Champion.load(workspace).run


def _complete_runs(workspace: Workspace, names: Iterable[str]) -> list[RunReport]:
    return [load_run(workspace.runs, name) for name in names if is_complete(workspace.runs, name)]


def _track(project: Project, reports: list[RunReport], *, ask: bool) -> Tracked:
    _prepare_environment()
    logged: list[str] = []
    present: list[str] = []
    with _quiet():
        failure = _log_all(project, reports, logged, present, ask=ask)
    left = [r.id for r in reports if r.id not in {*logged, *present}]
    _note(project, left, failure)
    return Tracked(logged=tuple(logged), present=tuple(present), failure=failure)


def _log_all(
    project: Project,
    reports: list[RunReport],
    logged: list[str],
    present: list[str],
    *,
    ask: bool,
) -> str:
    """Log runs and point at the champion; tells what stopped it."""
    try:
        # takes seconds, which who tracks nothing shall not wait
        from pipeline.mlflow_runs import TRACKING_ERRORS
    except ImportError as error:
        return _first_line(error)
    try:
        with project.locked("track", run="tracking"):
            known = _Known.load(project)
            tracker = _open(project)
            for report in reports:
                there = _log(project, tracker, known, report, ask=ask)
                (present if there else logged).append(report.id)
            _follow_champion(project, tracker, known)
    except (*TRACKING_ERRORS, WorkspaceError) as error:
        return _first_line(error)
    return ""


def _open(project: Project) -> "MlflowRuns":
    from pipeline.mlflow_runs import MlflowRuns

    config = project.config.tracking
    inside = (project.workspace.root / "mlartifacts").resolve().as_uri()
    return MlflowRuns(
        config=config,
        uri=tracking_uri(project),
        artifact_location=None if config.uri else inside,
    )


def _log(
    project: Project, tracker: "MlflowRuns", known: _Known, report: RunReport, *, ask: bool
) -> bool:
    """Log one run; tells whether it was there."""
    there = not ask and known.runs.get(report.id) == report.created
    there = there or tracker.has(report)
    if not there:
        tracker.log(report, folder=project.workspace.runs / report.id)
    known.runs[report.id] = report.created
    known.missed = [name for name in known.missed if name != report.id]
    known.save()
    return there


def _follow_champion(project: Project, tracker: "MlflowRuns", known: _Known) -> None:
    champion = _champion(project.workspace)
    found = _complete_runs(project.workspace, [champion] if champion else [])
    for report in found:
        _log(project, tracker, known, report, ask=False)
    tracker.point_champion(found[0] if found else None)
    known.champion = champion
    # what was deleted cannot be logged any more
    runs = project.workspace.runs
    known.missed = [name for name in known.missed if is_complete(runs, name)]
    known.save()


def _note(project: Project, left: list[str], failure: str) -> None:
    """Write down what was not logged; what was logged is a failure no more."""
    known = _Known.load(project)
    missed = [*known.missed, *(name for name in left if name not in known.missed)]
    if missed != known.missed:
        known.missed = missed
        known.save()
    if failure:
        message = "%s: not tracked (%s); the next run or `winnow track` tries again"
        _LOG.warning(message, known.uri, failure)
    told = any(before.step == _STEP for before in project.failures())
    if not (failure or told):
        return
    items = (missed or ["champion"]) if failure else []
    recorded = [Failure(item=i, step=_STEP, code="not_tracked", detail=failure) for i in items]
    # others may be at work for hours; what is missed is known anyway
    with suppress(WorkspaceError), workspace_lock(project.workspace, step="track", wait_seconds=0):
        record_failures(project.workspace, _STEP, recorded)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:500]


def _prepare_environment() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's warnings about its own insides, and its notes, from the user."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
