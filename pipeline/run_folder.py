"""The folder of all runs: find one, throw one away."""

import json
import shutil
from pathlib import Path
from typing import Any

from pipeline.atomic import write_text
from pipeline.errors import RunError
from pipeline.report import RunReport

_LATEST = "latest"
CHAMPION = "champion"
#: Beside the folder of runs, see :mod:`pipeline.champion`.
CHAMPION_FILE = "champion.json"


def mark_latest(runs_folder: Path, run: str) -> None:
    """Let ``latest`` mean this run.

    Parameters
    ----------
    runs_folder : Path
        Where runs lie.
    run : str
        Its id.
    """
    write_text(runs_folder / _LATEST, run)


def load_run(runs_folder: Path, run: str = "latest") -> RunReport:
    """Read a complete run's report.

    Parameters
    ----------
    runs_folder : Path
        Where runs lie.
    run : str
        A run's id; ``latest``: the one that was asked for last, whether it had to be trained or was
        complete; or ``champion``: the one that new videos are predicted by.

    Returns
    -------
    RunReport
        The run's folder is ``runs_folder / report.id``.

    Raises
    ------
    RunError
        If there is no such run; the message lists what there is. If the champion's file is damaged,
        or an earlier version scored the run's classes.
    """
    found = sorted(path.parent.name for path in runs_folder.glob("*/report.json"))
    if run == "latest" and (runs_folder / _LATEST).exists():
        run = (runs_folder / _LATEST).read_text().strip()
    if run == CHAMPION:
        run = _champion(runs_folder)
    if run not in found:
        raise RunError(
            f"no complete run {run!r} in {runs_folder}; there are: {', '.join(found) or 'none'}"
        )
    return RunReport.load(runs_folder / run / "report.json")


def is_complete(runs_folder: Path, run: str) -> bool:
    """Ask whether a run was finished and is still there.

    Parameters
    ----------
    runs_folder : Path
        Where runs lie.
    run : str
        A run's id.

    Returns
    -------
    bool
        Whether it is.
    """
    return (runs_folder / run / "report.json").is_file()


def _champion(runs_folder: Path) -> str:
    """Look the champion up in the file beside the folder of runs."""
    path = runs_folder.parent / CHAMPION_FILE
    try:
        run = json.loads(path.read_bytes())["run"] if path.exists() else None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: not a champion's file; delete it and name the champion with `winnow champion "
            "set RUN`"
        ) from error
    if run is None:
        raise RunError(
            f"{path}: there is no champion; `winnow retrain` makes the first run the champion, "
            "`winnow champion set RUN` any other"
        )
    return str(run)


def selected_on(runs_folder: Path, run: str = "latest") -> tuple[str, ...]:
    """List what a run's weights depend on.

    Parameters
    ----------
    runs_folder : Path
        Where runs lie.
    run : str
        A complete run's id, or ``latest``.

    Returns
    -------
    tuple of str
        Ids of the segments that it was trained on, with or without their labels, or that selected
        its epoch.

    Raises
    ------
    RunError
        If there is no such run.
    """
    config = _config(runs_folder, run)
    # a run of earlier days does not say what it learned from without labels
    return (*config["split"]["train"], *config["split"]["valid"], *config.get("unlabelled", ()))


def utterances_tested(runs_folder: Path, run: str) -> tuple[str, ...]:
    """List what a run was tested on.

    Parameters
    ----------
    runs_folder : Path
        Where runs lie.
    run : str
        A complete run's id, or ``latest``.

    Returns
    -------
    tuple of str
        Ids of the segments of its test split.

    Raises
    ------
    RunError
        If there is no such run.
    """
    return tuple(_config(runs_folder, run)["split"]["test"])


def _config(runs_folder: Path, run: str) -> dict[str, Any]:
    folder = runs_folder / load_run(runs_folder, run).id
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return config


def discard_run(runs_folder: Path, run: str) -> None:
    """Delete a run, complete or not, so that it is trained anew.

    Parameters
    ----------
    runs_folder : Path
        Where runs lie.
    run : str
        What :func:`run_id` returns; nothing happens if there is no such run.
    """
    folder, aside = runs_folder / run, runs_folder / f".{run}.part"
    if aside.exists():
        shutil.rmtree(aside)
    # without its report the run is incomplete: a deletion that is cut short loses no more
    (folder / "report.json").unlink(missing_ok=True)
    if folder.exists():
        # at once, lest a training goes on with half of a run
        folder.rename(aside)
        shutil.rmtree(aside)
