"""The command ``winnow``: every step of the chain, without Prefect."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from cyclopts import App, Parameter
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from extractors.errors import ExtractorError
from extractors.facial import FacialConfig
from extractors.media import Media
from models.errors import ModelError
from pipeline.chain import Project
from pipeline.config import load_config
from pipeline.errors import ConfigError, PipelineError
from pipeline.face_overlays import face_overlays
from pipeline.face_video import draw_faces
from pipeline.run_folder import load_run
from pipeline.tables import (
    extraction_lines,
    failure_table,
    ingest_table,
    metrics_table,
    result_table,
    store_table,
)
from pipeline.training_state import EpochRecord
from pipeline.workspace import Workspace

app = App(name="winnow", help="From raw talking-head video to a trained sentiment model.")
store_app = App(name="store", help="Look after the feature store.")
app.command(store_app)
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

    def project(self) -> Project:
        """Open the workspace with these settings.

        Returns
        -------
        Project
            Workspace and validated settings.

        Raises
        ------
        ConfigError
            If a setting is unknown, out of range, or not written as name=value.
        """
        values = {}
        for setting in self.settings:
            name, found, value = setting.partition("=")
            if not found:
                raise ConfigError(
                    f"--set {setting!r}: write name=value, such as training.max_epochs=3"
                )
            try:
                values[name] = yaml.safe_load(value)
            except yaml.YAMLError as error:
                raise ConfigError(f"--set {setting!r}: {value!r} is not a YAML value") from error
        return Project(
            workspace=Workspace(root=self.workspace), config=load_config(self.config, values)
        )


DEFAULTS = Options()


@app.command
def ingest(
    *sources: str,
    options: Options = DEFAULTS,
) -> None:
    """Find videos, their transcripts and labels.

    Parameters
    ----------
    sources : tuple of str
        Folders, searched with their subfolders; media files; http(s) addresses of videos and
        playlists; text files of addresses.
    options : Options
        Workspace and settings.
    """
    project = options.project()
    with _progress("ingest", None) as step:
        report = project.ingest(*sources, on_file=lambda name: step())
    console.print(ingest_table(report))
    _show_failures(project)


@app.command
def extract(
    *,
    options: Options = DEFAULTS,
) -> None:
    """Extract the features that are missing.

    Parameters
    ----------
    options : Options
        Workspace and settings.
    """
    project = options.project()
    plan = project.plan()
    with _progress("extract", len(plan.jobs)) as step:
        report = project.extract(plan, on_clip=lambda clip: step())
    project.finish_extraction(report)
    for line in extraction_lines(report):
        console.print(line, highlight=False)
    _show_failures(project)


@app.command
def train(
    *,
    fresh: bool = False,
    options: Options = DEFAULTS,
) -> None:
    """Train and evaluate the configured model.

    Parameters
    ----------
    fresh : bool
        Train again even if the same data and settings were trained on before.
    options : Options
        Workspace and settings.
    """
    project = options.project()
    training = project.config.training
    with _progress("train", len(training.seeds) * training.max_epochs) as step:

        def on_epoch(seed: int, record: EpochRecord) -> None:
            step(f"train seed {seed}, validation MAE {record.valid_mae:.3f}")

        report = project.train(fresh=fresh, on_epoch=on_epoch)
    console.print(result_table(report))
    console.print(f"report: {project.workspace.runs / report.id / 'report.md'}")


@app.command
def evaluate(
    *,
    run: str = "latest",
    split: str = "test",
    options: Options = DEFAULTS,
) -> None:
    """Score a run's checkpoints on the labelled utterances of a split.

    Parameters
    ----------
    run : str
        A run's id, or latest.
    split : str
        One of train, valid and test.
    options : Options
        Workspace and settings.
    """
    project = options.project()
    console.print(metrics_table(project.evaluate(run=run, on=split), title=f"{run} on {split}"))


@app.command
def predict(
    videos: Path | None = None,
    *,
    run: str = "latest",
    options: Options = DEFAULTS,
) -> None:
    """Predict the sentiment of utterances without a label.

    Parameters
    ----------
    videos : Path
        A folder of new videos; without it the workspace's own unlabelled utterances.
    run : str
        A run's id, or latest.
    options : Options
        Workspace and settings.
    """
    project = options.project()
    path = project.predict(run=run) if videos is None else _predict_folder(project, videos, run)
    console.print(f"predictions: {path}")


@app.command
def faces(
    clip: Path,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
) -> None:
    """Draw over a video what is measured in its faces: mesh, pose, gaze, action units, speaker.

    Parameters
    ----------
    clip : Path
        A video.
    output : Path
        The MP4 to write; without it CLIP.faces.mp4 in the current folder.
    """
    path = Path(f"{clip.stem}.faces.mp4") if output is None else output
    if path.resolve() == clip.resolve():
        raise ConfigError(f"{path} is the video itself; name another file with -o")
    media = Media(path=clip)
    draw_faces(media=media, overlays=face_overlays(media=media, config=FacialConfig()), path=path)
    console.print(f"faces: {path}")


@app.command
def report(*, run: str = "latest", workspace: Path = DEFAULT_WORKSPACE) -> None:
    """Show a run's report.

    Parameters
    ----------
    run : str
        A run's id, or latest.
    workspace : Path
        Where everything that is made lies.
    """
    folder = Workspace(root=workspace).runs
    page = folder / load_run(folder, run).id / "report.md"
    console.print(Markdown(page.read_text(encoding="utf-8")))
    console.print(f"report: {page}")


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
    found = project.store.unreachable(project.keys())
    size = sum(stored.size for stored in found) / 1e6
    if not dry_run:
        project.store.remove(found)
    console.print(
        f"{len(found)} files, {size:.1f} MB {'would be deleted' if dry_run else 'deleted'}"
    )


def main() -> None:
    """Run the command; what a user can put right is a message and status 2, not a traceback."""
    try:
        app()
    except (PipelineError, ExtractorError, ModelError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]{error.__class__.__name__}[/]:", end=" ")
        Console(stderr=True, soft_wrap=True, emoji=False).print(
            str(error), markup=False, highlight=False
        )
        sys.exit(2)


def _predict_folder(project: Project, videos: Path, run: str) -> Path:
    """Predict a folder of its own: own manifests, but the project's features and runs."""
    config = project.config.model_copy(
        update={"store": project.config.store_root(project.workspace)}
    )
    other = Project(workspace=project.workspace.for_predictions, config=config)
    other.ingest(videos)
    plan = other.plan()
    with _progress("extract", len(plan.jobs)) as step:
        extracted = other.extract(plan, on_clip=lambda clip: step())
    other.finish_extraction(extracted)
    _show_failures(other)
    return other.predict(run=run, runs=project.workspace.runs)


def _show_failures(project: Project) -> None:
    failures = project.failures()
    if failures:
        console.print(failure_table(failures))
        console.print(f"all of them: {project.workspace.failures}")


@contextmanager
def _progress(name: str, total: int | None) -> Iterator[Callable[..., Any]]:
    """Show a bar; the caller gets a function that moves it by one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(name, total=total)

        def step(description: str = name) -> None:
            bar.update(task, advance=1, description=description)

        yield step
