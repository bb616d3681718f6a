"""The commands ``winnow store``."""

import sys

from cyclopts import App

from pipeline.cli_options import DEFAULTS, Options, console
from pipeline.errors import ConfigError
from pipeline.tables import store_table

store_app = App(name="store", help="Look after the feature store.")


@store_app.command(name="ls")
def list_store(
    *,
    options: Options = DEFAULTS,
) -> None:
    """List what the store holds.

    Parameters
    ----------
    options : Options
        Workspace and settings.
    """
    console.print(store_table(list(options.project().store.files())))


@store_app.command
def verify(
    *,
    options: Options = DEFAULTS,
) -> None:
    """Compare every stored sequence with its digest; ends with status 1 if one is damaged.

    Parameters
    ----------
    options : Options
        Workspace and settings.
    """
    problems = options.project().store.verify()
    for problem in problems:
        console.print(problem)
    console.print(f"{len(problems)} damaged")
    if problems:
        sys.exit(1)


@store_app.command(name="gc")
def collect_garbage(
    *,
    dry_run: bool = False,
    options: Options = DEFAULTS,
) -> None:
    """Delete what the ingested clips and the settings in use cannot reach.

    Parameters
    ----------
    dry_run : bool
        Only say what would be deleted.
    options : Options
        Workspace and settings.
    """
    project = options.project()
    if project.config.store is not None and not dry_run:
        raise ConfigError(
            f"store {project.config.store} is not this workspace's own: others may use what this "
            "one cannot reach. See what it is with --dry-run"
        )
    if dry_run:
        found = project.store.unreachable(project.keys())
    else:
        # what another run is writing now looks like what a killed one left
        with project.locked("store gc"):
            found = project.store.unreachable(project.keys())
            project.store.remove(found)
    size = sum(stored.size for stored in found) / 1e6
    console.print(
        f"{len(found)} files, {size:.1f} MB {'would be deleted' if dry_run else 'deleted'}"
    )
