"""The command ``winnow reproduce``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markdown import Markdown

from pipeline.cli_options import DEFAULTS, Options, console, parse_settings, progress_bar
from pipeline.errors import ConfigError
from pipeline.reproduction import ReproductionPlan, reproduce
from pipeline.reproduction_page import reproduction_markdown, write_reproduction
from pipeline.training_config import Selection
from pipeline.training_state import EpochRecord


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is trained, and how.

    Parameters
    ----------
    models : str
        Names with commas between; without any all that have published settings for the data set.
    seeds : int
        How many trainings of each.
    selection : str
        valid, or test_oracle: epochs selected on the test split, as some authors did.
    text_model : str
        BERT that is trained along: a folder, a name in the local cache, or minilm. Without it the
        file's text features are read.
    """

    models: str = ""
    seeds: int = 5
    selection: Selection = "valid"
    text_model: str | None = None


_ALL = Wanted()


def reproduce_command(
    dataset: str,
    *,
    data: Path,
    wanted: Wanted = _ALL,
    from_format: Annotated[str | None, Parameter(name="--from")] = None,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    options: Options = DEFAULTS,
) -> None:
    """Train models on a data set that you own, and print them beside the papers' figures.

    Stopped, it goes on where it was; every model is a run that other commands know, too.

    Parameters
    ----------
    dataset : str
        One of mosi, mosei, sims, urfunny, mintrec.
    data : Path
        Its file or folder of features, with its own split.
    wanted : Wanted
        Models, seeds, selection and the text's encoder.
    from_format : str
        The file's format, where names do not tell.
    output : Path
        Folder for the page; without it one in the workspace.
    options : Options
        Workspace, and settings for all models.
    """
    if options.config is not None:
        raise ConfigError("reproduce takes each model's published settings; change some with --set")
    plan = ReproductionPlan(
        collection=dataset,
        models=tuple(name.strip() for name in wanted.models.split(",") if name.strip()),
        seeds=wanted.seeds,
        selection=wanted.selection,
        text_model=wanted.text_model,
        settings=parse_settings(options.settings),
    )
    project = Options(workspace=options.workspace).project()
    with progress_bar("reproduce", None) as step:

        def on_progress(model: str, seed: int, record: EpochRecord) -> None:
            step(f"{model} seed {seed}, epoch {record.epoch}, validation {record.valid_mae:.3f}")

        found = reproduce(
            plan,
            data,
            runs_folder=project.workspace.runs,
            packed_folder=project.workspace.packed,
            format_name=from_format,
            guard=lambda run: project.locked("reproduce", run=run),
            on_progress=on_progress,
        )
    console.print(Markdown(reproduction_markdown(found)))
    for path in write_reproduction(
        found, output or project.workspace.root / "reproduced" / dataset
    ):
        console.print(f"table: {path}")
