"""From new videos to predictions with intervals, and what moved them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.chain import Project
from pipeline.clip_names import clip_names
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError
from pipeline.modality_contributions import Floats, predict_coalitions
from pipeline.packing import NO_FEATURES
from pipeline.prediction_intervals import check_level, conformal_radius
from pipeline.prediction_records import PredictionReport, UtterancePrediction, VideoPrediction
from pipeline.records import Clip, Segment
from pipeline.run_folder import load_run, selected_on
from pipeline.run_predictions import read_predictions
from pipeline.run_task import RunTask
from pipeline.training_config import choose_device
from pipeline.utterance_prediction import UtterancePredictor


def predict_videos(
    project: Project,
    sources: Sequence[str | Path],
    *,
    run: str = "latest",
    level: float = 0.95,
    on_file: Callable[[str], None] = lambda name: None,
    on_clip: Callable[[Clip], None] = lambda clip: None,
) -> PredictionReport:
    """Ingest videos, extract what is missing of them, and predict all their utterances.

    Their manifests lie in a workspace of their own inside the project's, their features in the
    project's store: a second time nothing is extracted.

    Parameters
    ----------
    project : Project
        Which has the run; with the extractors of its training.
    sources : sequence of str or Path
        Videos, folders, addresses and lists of addresses, as for ingesting.
    run : str
        A complete run's id, or ``latest``.
    level : float
        Probability of the intervals, 0 to 1 without both.
    on_file, on_clip : callable, optional
        Told of every file before it is read, and of every clip that is extracted.

    Returns
    -------
    PredictionReport
        Of these sources alone, in their order.

    Raises
    ------
    RunError
        If there is no such run.
    SourceError
        If a source is not there.
    DataError
        If the level is not between 0 and 1, or the features are not those that the run was trained
        on.
    """
    with project.locked("predict"):
        # first, since hours of extraction would be lost
        load_run(project.workspace.runs, run)
        check_level(level)
        inner = prediction_project(project)
        inner.ingest(*sources, on_file=on_file)
        plan = inner.plan()
        inner.require_space(plan)
        report = inner.extract(plan, on_clip=on_clip)
        inner.finish_extraction(report)
        found = predict_ingested(inner, runs_folder=project.workspace.runs, run=run, level=level)
        return replace(found, extracted=report.extracted, stored=report.stored)


def prediction_project(project: Project) -> Project:
    """Open the inner workspace for videos that are predicted only.

    Parameters
    ----------
    project : Project
        The outer one.

    Returns
    -------
    Project
        With manifests of its own and the outer one's features.
    """
    config = project.config.model_copy(
        update={"store": project.config.store_root(project.workspace)}
    )
    return Project(workspace=project.workspace.for_predictions, config=config)


def predict_ingested(
    project: Project, *, runs_folder: Path, run: str = "latest", level: float = 0.95
) -> PredictionReport:
    """Predict all utterances of a workspace, labelled or not, whose features are extracted.

    Parameters
    ----------
    project : Project
        With what shall be predicted, such as :func:`prediction_project`.
    runs_folder : Path
        Where the run lies.
    run : str
        A complete run's id, or ``latest``.
    level : float
        Probability of the intervals, 0 to 1 without both.

    Returns
    -------
    PredictionReport
        Every ingested clip with those of its utterances that have any feature.

    Raises
    ------
    RunError
        If there is no such run.
    DataError
        If the features are not those that the run was trained on.
    """
    known = load_run(runs_folder, run)
    folder = runs_folder / known.id
    task = known.task
    residuals = _residuals(folder / "predictions.csv", task)
    segments = project.segments()
    predicted: dict[str, UtterancePrediction] = {}
    dataset = _features(project) if segments else None
    # where nobody speaks there are none, which is no failure
    if dataset is not None:
        predictor = UtterancePredictor(
            task=task,
            by_seed=predict_coalitions(
                folder=folder,
                seeds=tuple(seed.seed for seed in known.seeds),
                dataset=dataset,
                device=choose_device(project.config.training.device),
            ),
            radius=conformal_radius(residuals=residuals, level=level),
            level=level,
            seen=frozenset(clip_names(selected_on(runs_folder, known.id))),
        )
        predicted = predictor.utterances(dataset, segments)
    return PredictionReport(
        run=known.id,
        model=known.model,
        seeds=tuple(seed.seed for seed in known.seeds),
        level=level,
        validated=len(residuals),
        extracted={},
        stored={},
        videos=tuple(_video(clip, segments, predicted) for clip in project.clips()),
        failures=tuple(project.failures()),
    )


def _features(project: Project) -> PackedDataset | None:
    """Pack the utterances; None if there is nothing of any, as failures tell."""
    try:
        return project.pack()[0]
    except DataError as error:
        if error.code != NO_FEATURES:
            raise
        return None


def _residuals(path: Path, task: RunTask) -> Floats:
    """Label minus mean prediction of the validation split; none where it was not written down.

    Of classes it is what the probability of the labelled one lacks to 1.
    """
    if not path.exists():
        return np.zeros(0)
    scored = read_predictions(path, on="valid", classes=task.class_numbers)
    if task.classes:
        rows, true = np.arange(len(scored.ids)), task.target(scored.target).astype(np.int64)
        missing: Floats = 1 - scored.class_probabilities(task)[rows, true]
        return missing
    residuals: Floats = scored.target - scored.by_seed.mean(axis=0)
    return residuals


def _video(
    clip: Clip, segments: Sequence[Segment], predicted: Mapping[str, UtterancePrediction]
) -> VideoPrediction:
    own = [predicted[s.id] for s in segments if s.clip_id == clip.id and s.id in predicted]
    return VideoPrediction(
        path=clip.path,
        id=clip.id,
        duration=clip.duration,
        utterances=tuple(sorted(own, key=lambda one: (one.start, one.end))),
    )
