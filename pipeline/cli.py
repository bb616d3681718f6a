"""The command ``winnow``: every step of the chain, without Prefect."""

import math
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from extractors.errors import ExtractorError
from extractors.facial import FacialConfig
from extractors.media import Media
from models.errors import ModelError
from pipeline.chain import Project
from pipeline.cli_ablate import ablate_app
from pipeline.cli_benchmark import benchmark_app
from pipeline.cli_champion import champion_app, retrain_command
from pipeline.cli_evaluate import evaluate
from pipeline.cli_maintain import maintain
from pipeline.cli_options import (
    DEFAULTS,
    Options,
    console,
    parse_settings,
    progress_bar,
    show_failures,
)
from pipeline.cli_predict import predict
from pipeline.cli_quarantine import quarantine_app
from pipeline.cli_report import report
from pipeline.cli_reproduce import reproduce_command
from pipeline.cli_store import store_app
from pipeline.cli_track import track
from pipeline.cli_train import train
from pipeline.config import build_extractors
from pipeline.disk_space import is_disk_full
from pipeline.errors import ConfigError, PipelineError
from pipeline.extraction import ExtractionReport
from pipeline.face_overlays import face_overlays
from pipeline.face_video import draw_faces
from pipeline.formats.convert import convert
from pipeline.tables import extraction_lines, ingest_table
from pipeline.word_config import RecognitionMethod

app = App(name="winnow", help="From raw talking-head video to a trained sentiment model.")
app.command(ablate_app)
app.command(benchmark_app)
app.command(champion_app)
app.command(evaluate)
app.command(maintain)
app.command(predict)
app.command(quarantine_app)
app.command(report)
app.command(retrain_command, name="retrain")
app.command(reproduce_command, name="reproduce")
app.command(store_app)
app.command(track)
app.command(train)


@app.command
def ingest(
    *sources: str,
    asr: RecognitionMethod | None = None,
    options: Options = DEFAULTS,
) -> None:
    """Find videos, their words and labels.

    Parameters
    ----------
    sources : tuple of str
        Folders, searched with their subfolders; media files; http(s) addresses of videos and
        playlists; text files of addresses.
    asr : str
        Who writes down what is said where there is no transcript: whisper, from weights on disk;
        pocketsphinx, which needs none and is poor; or none.
    options : Options
        Workspace and settings.
    """
    project = options.project(**{"words.asr": asr})
    with progress_bar("ingest", None) as step:
        report = project.ingest(*sources, on_file=lambda name: step())
    console.print(ingest_table(report))
    show_failures(project)


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
    report = _extract(project)
    for line in extraction_lines(report):
        console.print(line, highlight=False)
    show_failures(project)


@app.command
def faces(
    clip: Path,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
) -> None:
    """Draw over a video what is measured in its faces: mesh, pose, gaze, action units, speaker.

    Parameters
    ----------
    clip : Path
        A video.
    output : Path
        The MP4 to write; without it CLIP.faces.mp4 in the current folder.
    settings : tuple of str
        Single settings of the extractor openface, such as faces=all or fps=10.
    """
    path = Path(f"{clip.stem}.faces.mp4") if output is None else output
    if path.resolve() == clip.resolve():
        raise ConfigError(f"{path} is the video itself; name another file with -o")
    (extractor,) = build_extractors({"openface": parse_settings(settings)}).values()
    config: FacialConfig = extractor.config
    media = Media(path=clip)
    fps = min(media.info.fps or 1.0, config.fps or math.inf) / config.stride
    with progress_bar("faces", round(2 * media.info.duration * fps)) as step:
        overlays = face_overlays(media=media, config=config, on_picture=step)
        draw_faces(media=media, overlays=overlays, path=path)
    console.print(f"faces: {path}")


@app.command(name="convert")
def convert_dataset(
    source: Path,
    target: Path,
    *,
    from_format: Annotated[str | None, Parameter(name="--from")] = None,
    to_format: Annotated[str | None, Parameter(name="--to")] = None,
) -> None:
    """Write a data set in another format: csd, folder or mmsa (which a name in .pkl means).

    Parameters
    ----------
    source : Path
        A file or folder; its format is told by names, or by --from.
    target : Path
        A file or folder that is not there yet.
    from_format, to_format : str
        Registered names.
    """
    done = convert(source, target, source_format=from_format, target_format=to_format)
    console.print(
        f"{done.utterances} utterances, {done.source_format} to {done.target_format}: {target}"
    )


def main() -> None:
    """Run the command; what a user can put right is a message and status 2, not a traceback."""
    try:
        app()
    except (PipelineError, ExtractorError, ModelError, OSError) as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]{error.__class__.__name__}[/]:", end=" ")
        Console(stderr=True, soft_wrap=True, emoji=False).print(
            _message(error), markup=False, highlight=False
        )
        sys.exit(2)


def _message(error: Exception) -> str:
    if is_disk_full(error):
        return (
            f"{error}: a disk is full. Nothing that was written before is lost; free some space "
            "and run the same command again"
        )
    return str(error)


def _extract(project: Project) -> ExtractionReport:
    # asked under the lock: what another run has just extracted is not missing any more
    with project.locked("extract"):
        plan = project.plan()
        project.require_space(plan)
        with progress_bar("extract", len(plan.jobs)) as step:
            report = project.extract(plan, on_clip=lambda clip: step())
        project.finish_extraction(report)
    return report
