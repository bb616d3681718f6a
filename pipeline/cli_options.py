"""What all commands of ``winnow`` share: options, the console, bars, failures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.chain import Project
from pipeline.config import load_config
from pipeline.errors import ConfigError
from pipeline.tables import failure_table
from pipeline.workspace import Workspace

# Names of files may look like markup.
console = Console(soft_wrap=True, markup=False, emoji=False)

DEFAULT_WORKSPACE = Path("workspace")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What every command that works in a workspace takes.

    Parameters
    ----------
    workspace : Path
        Where everything that is made lies.
    config : Path
        A YAML file of settings.
    settings : tuple of str
        Single settings, such as training.max_epochs=3 or jobs=4.
    """

    workspace: Annotated[Path, Parameter(name="--workspace")] = DEFAULT_WORKSPACE
    config: Annotated[Path | None, Parameter(name="--config")] = None
    settings: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = ()

    def project(self, **more: Any) -> Project:
        """Open the workspace with these settings.

        Parameters
        ----------
        **more : object
            Further settings, by dotted name; None for those that nobody asked for.

        Returns
        -------
        Project
            Workspace and validated settings.

        Raises
        ------
        ConfigError
            If a setting is unknown, out of range, or not written as name=value.
        """
        values = parse_settings(self.settings)
        values |= {name: value for name, value in more.items() if value is not None}
        return Project(
            workspace=Workspace(root=self.workspace), config=load_config(self.config, values)
        )


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Read single settings.

    Parameters
    ----------
    settings : sequence of str
        Each as name=value, the value in YAML.

    Returns
    -------
    dict of str to object
        Dotted name to value.

    Raises
    ------
    ConfigError
        If one is not written so.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        name, found, value = setting.partition("=")
        if not found:
            raise ConfigError(f"--set {setting!r}: write name=value, such as training.max_epochs=3")
        try:
            values[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {setting!r}: {value!r} is not a YAML value") from error
    return values


DEFAULTS = Options()


def show_failures(project: Project) -> None:
    """Print what could not be done, if anything.

    Parameters
    ----------
    project : Project
        Whose.
    """
    failures = project.failures()
    if failures:
        console.print(failure_table(failures))
        console.print(f"all of them: {project.workspace.failures}")


@contextmanager
def progress_bar(name: str, total: int | None) -> Iterator[Callable[..., Any]]:
    """Show a bar while a command works.

    Parameters
    ----------
    name : str
        What is done.
    total : int or None
        Number of steps, None if nobody knows.

    Yields
    ------
    callable
        Moves the bar by one; a text replaces the name.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(name, total=total)

        def step(description: str = name) -> None:
            bar.update(task, advance=1, description=description)

        yield step
