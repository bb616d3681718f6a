"""``winnow train``."""

from typing import Annotated

from cyclopts import Parameter

from pipeline.cli_options import DEFAULTS, Options, console, progress_bar
from pipeline.errors import ConfigError
from pipeline.tables import result_table
from pipeline.tracking import track_run
from pipeline.tracking_config import TrackingMode
from pipeline.training_followers import follow
from pipeline.training_state import EpochRecord


def train(
    *,
    fresh: bool = False,
    seeds: Annotated[tuple[int, ...], Parameter(consume_multiple=True, negative=())] = (),
    tracking: TrackingMode | None = None,
    options: Options = DEFAULTS,
) -> None:
    """Train and evaluate the configured model.

    Parameters
    ----------
    fresh : bool
        Train again even if the same data and settings were trained on before.
    seeds : tuple of int
        How many seeds, such as 5, which are 0 to 4; or two or more numbers, such as 3 7.
    tracking : str
        Whether the finished run is logged to MLflow: on or off.
    options : Options
        Workspace and settings.
    """
    if follow():
        return
    project = options.project(**{"training.seeds": chosen_seeds(seeds), "tracking.mode": tracking})
    training = project.config.training
    with progress_bar("train", len(training.seeds) * training.max_epochs) as step:

        def on_epoch(seed: int, record: EpochRecord) -> None:
            step(f"train seed {seed}, validation MAE {record.valid_mae:.3f}")

        report = project.train(fresh=fresh, on_epoch=on_epoch)
    track_run(project, report)
    console.print(result_table(report))
    console.print(f"report: {project.workspace.runs / report.id / 'report.html'}")


def chosen_seeds(numbers: tuple[int, ...]) -> tuple[int, ...] | None:
    """Read what was asked for with ``--seeds``.

    Parameters
    ----------
    numbers : tuple of int
        One number is how many; two or more are the seeds themselves.

    Returns
    -------
    tuple of int or None
        None if nothing was asked for.

    Raises
    ------
    ConfigError
        If no seed is asked for.

    Examples
    --------
    >>> chosen_seeds((3,)), chosen_seeds((4, 2))
    ((0, 1, 2), (4, 2))
    """
    if len(numbers) != 1:
        return numbers or None
    if numbers[0] < 1:
        raise ConfigError(
            f"--seeds {numbers[0]}: say how many, 1 or more; for the one seed {numbers[0]}, "
            f"--set training.seeds=[{numbers[0]}]"
        )
    return tuple(range(numbers[0]))
