"""The commands ``winnow quarantine``."""

from collections.abc import Sequence
from dataclasses import replace

from cyclopts import App
from rich.table import Table
from rich.text import Text

from pipeline.chain import Project
from pipeline.cli_options import DEFAULTS, Options, console
from pipeline.errors import SourceError
from pipeline.quarantine import RepeatedFailure

quarantine_app = App(
    name="quarantine", help="See and free clips that extractors have failed on again and again."
)


@quarantine_app.command(name="list")
def list_quarantine(
    *,
    options: Options = DEFAULTS,
) -> None:
    """List what is not tried again, and why.

    Parameters
    ----------
    options : Options
        Workspace and settings.
    """
    held = [failure for project in _projects(options) for failure in project.quarantine.held]
    if held:
        console.print(_table(held))
    console.print(f"{len(held)} in quarantine")


@quarantine_app.command
def clear(
    *names: str,
    options: Options = DEFAULTS,
) -> None:
    """Forget failures, so that the next extraction tries again.

    Parameters
    ----------
    names : tuple of str
        Paths, file names, clip ids or extractors; all of them without any.
    options : Options
        Workspace and settings.
    """
    owners = _projects(options)
    with owners[0].locked("quarantine clear"):
        found = [_named(owners, name) for name in names or (None,)]
        for number, owner in enumerate(owners):
            owner.quarantine.forget(failure.key for both in found for failure in both[number])
    count = len({failure.key for both in found for one in both for failure in one})
    console.print(f"{count} will be tried again")


def _named(owners: Sequence[Project], name: str | None) -> list[list[RepeatedFailure]]:
    found = [owner.quarantine.named(name) for owner in owners]
    if name is not None and not any(found):
        raise SourceError(
            f"{name}: no failure is recorded of such a clip or extractor; see "
            "`winnow quarantine list`",
            code="not_quarantined",
        )
    return found


def _projects(options: Options) -> tuple[Project, Project]:
    """Open the workspace, and that of the videos which are predicted only."""
    project = options.project()
    project.clips()
    return project, replace(project, workspace=project.workspace.for_predictions)


def _table(held: Sequence[RepeatedFailure]) -> Table:
    table = Table("file", "extractor", "times", "latest", "reason", title="Quarantine")
    for failure in held:
        # a file's name may look like markup
        texts = (Text(failure.path), failure.extractor, str(failure.count), failure.at)
        table.add_row(*texts, Text(f"{failure.code}: {failure.detail}"))
    return table
