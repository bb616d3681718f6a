"""The command ``winnow predict``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pipeline.chain import Project
from pipeline.champion import serving_run
from pipeline.cli_options import DEFAULTS, Options, console, progress_bar, show_failures
from pipeline.errors import ConfigError
from pipeline.manifest import read_manifest
from pipeline.prediction_files import check_output, write_predictions
from pipeline.prediction_records import PredictionReport
from pipeline.records import Transcript
from pipeline.video_prediction import predict_videos, prediction_project


def predict(
    *videos: str,
    run: str | None = None,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    level: float = 0.95,
    options: Options = DEFAULTS,
) -> None:
    """Predict the sentiment or the classes of videos, with intervals and what moved it.

    Parameters
    ----------
    videos : tuple of str
        Videos, folders, addresses and lists of addresses; without any the workspace's own
        unlabelled utterances.
    run : str
        A run's id, latest or champion; without it the champion, or the latest where none was made.
    output : Path
        A file in .json, .csv or .vtt (a track of one video), or a folder for all three.
    level : float
        Probability of the intervals.
    options : Options
        Workspace and settings.
    """
    project = options.project()
    run = serving_run(project.workspace) if run is None else run
    if not videos:
        if output is not None:
            raise ConfigError("--output is for named videos; without any there is one CSV file")
        with project.locked("predict"):
            console.print(f"predictions: {project.predict(run=run)}")
        return
    if output is not None:
        check_output(output)
    with progress_bar("predict", None) as step:
        report = predict_videos(
            project,
            videos,
            run=run,
            level=level,
            on_file=lambda name: step(),
            on_clip=lambda clip: step("extract"),
        )
    inner = prediction_project(project)
    show_failures(inner)
    console.print(_summary(report))
    for path in _write(inner, report, output):
        console.print(f"predictions: {path}")


def _summary(report: PredictionReport) -> str:
    said = [utterance for video in report.videos for utterance in video.utterances]
    seen = sum(utterance.seen for utterance in said)
    known = f" ({seen} of them seen in its training)" if seen else ""
    return (
        f"{report.run}: {len(said)} utterances of {len(report.videos)} videos{known}, "
        f"{sum(report.extracted.values())} sequences extracted, "
        f"{sum(report.stored.values())} stored before"
    )


def _write(inner: Project, report: PredictionReport, output: Path | None) -> list[Path]:
    if output is None:
        output = inner.workspace.predictions
    transcripts = read_manifest(inner.workspace.transcripts, Transcript)
    return write_predictions(report, output, inputs=[Path(one.path) for one in transcripts])
