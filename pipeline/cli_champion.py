"""The commands ``winnow champion`` and ``winnow retrain``."""

from cyclopts import App
from rich.table import Column, Table
from rich.text import Text

from pipeline.champion import Champion, clear_champion, set_champion
from pipeline.cli_options import DEFAULTS, Options, console, progress_bar
from pipeline.retraining import retrain
from pipeline.tracking import track_champion
from pipeline.tracking_config import TrackingMode
from pipeline.training_followers import follow
from pipeline.training_state import EpochRecord

champion_app = App(
    name="champion", help="See, set and forget the run that new videos are predicted by."
)


@champion_app.command
def show(*, options: Options = DEFAULTS) -> None:
    """Say which run is the champion, since when and why.

    Parameters
    ----------
    options : Options
        Workspace and settings.
    """
    champion = Champion.load(options.project().workspace)
    if champion.run is None:
        console.print("there is no champion")
        return
    console.print(f"champion: {champion.run}, since {champion.since}")
    console.print(champion.why)
    if champion.previous:
        console.print(f"before it: {champion.previous}")
    if champion.test:
        test = champion.test
        console.print(f"test split: version {test.version}, {len(test.clips)} clips")


@champion_app.command(name="set")
def set_run(run: str, *, new_test: bool = False, options: Options = DEFAULTS) -> None:
    """Make a run the champion, such as the one before.

    Parameters
    ----------
    run : str
        A run's id, or latest.
    new_test : bool
        Freeze this run's own test clips instead of those that are frozen.
    options : Options
        Workspace and settings.
    """
    project = options.project()
    with project.locked("champion set"):
        champion = set_champion(project.workspace, run, new_test=new_test)
    track_champion(project)
    console.print(f"champion: {champion.run}")


@champion_app.command
def history(*, options: Options = DEFAULTS) -> None:
    """List all decisions, with the reports of both runs.

    Parameters
    ----------
    options : Options
        Workspace and settings.
    """
    champion = Champion.load(options.project().workspace)
    # in a narrow terminal, names that are to be copied go on in the next line
    names = ("at", "outcome", "candidate", "champion until then", "test split", "why")
    table = Table(*(Column(name, overflow="fold") for name in names))
    for decision in champion.history:
        cells = (
            decision.at,
            decision.outcome,
            decision.candidate_report or "",
            decision.champion_report or "",
            str(decision.test_version or ""),
            "; ".join(decision.reasons),
        )
        table.add_row(*(Text(cell) for cell in cells))
    if champion.history:
        console.print(table)
    console.print(f"{len(champion.history)} decisions")


@champion_app.command
def clear(*, options: Options = DEFAULTS) -> None:
    """Let there be no champion; the next retraining's run becomes it.

    Parameters
    ----------
    options : Options
        Workspace and settings.
    """
    project = options.project()
    with project.locked("champion clear"):
        clear_champion(project.workspace)
    track_champion(project)
    console.print("there is no champion")


def retrain_command(
    *, force: bool = False, tracking: TrackingMode | None = None, options: Options = DEFAULTS
) -> None:
    """Train a candidate if there is something new to learn, and promote it if it is better.

    Parameters
    ----------
    force : bool
        Promote it even if it is not better, and do not wait for more new clips.
    tracking : str
        Whether the candidate is logged to MLflow: on or off.
    options : Options
        Workspace and settings.
    """
    if follow():
        return
    project = options.project(**{"tracking.mode": tracking})
    training = project.config.training
    with progress_bar("retrain", len(training.seeds) * training.max_epochs) as step:

        def on_epoch(seed: int, record: EpochRecord) -> None:
            step(f"train seed {seed}, validation MAE {record.valid_mae:.3f}")

        done = retrain(project, force=force, on_epoch=on_epoch)
    console.print(str(done))
    for run in (done.candidate, done.beaten):
        if run is not None:
            console.print(f"report: {project.workspace.runs / run / 'report.html'}")
