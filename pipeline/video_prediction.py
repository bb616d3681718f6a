"""From new videos to predictions with intervals, and what moved them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from models.batch import MODALITIES
from pipeline.bootstrap import Interval
from pipeline.chain import Project
from pipeline.clip_names import clip_names
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError
from pipeline.metrics import Score
from pipeline.modality_contributions import (
    Coalitions,
    Floats,
    predict_coalitions,
    shapley_values,
)
from pipeline.packing import NO_FEATURES
from pipeline.prediction_intervals import check_level, conformal_radius, seed_interval
from pipeline.records import LABEL_RANGE, Clip, Failure, Segment
from pipeline.report import RunReport
from pipeline.run_folder import load_sentiment_run, selected_on
from pipeline.run_predictions import read_predictions
from pipeline.training_config import choose_device


@dataclass(frozen=True, kw_only=True)
class UtterancePrediction:
    """What a run says of one utterance.

    Parameters
    ----------
    id : str
        The segment's.
    start, end : float
        Seconds from the start of the clip.
    text : str
        What is said, possibly empty.
    label : float or None
        Sentiment as labelled, if it is.
    prediction : float
        Mean over the run's seeds; of two classes the log odds of the second.
    sd : float
        Standard deviation over the seeds, n - 1 in the denominator; NaN for a single seed.
    by_seed : tuple of float
        Of every seed, in the order of the report's.
    probability : float or None
        Of the second of two classes, mean over the seeds; None where a score is predicted.
    seed_interval : Interval or None
        Where the mean of infinitely many seeds would be, as
        :func:`~pipeline.prediction_intervals.seed_interval`; None for a single seed.
    label_interval : Interval or None
        Where the label is, :func:`~pipeline.prediction_intervals.conformal_radius` of the
        validation split, cut off at the ends of the scale; None of classes and where that split is
        too small.
    modalities : tuple of str
        Those of the model's that the utterance has.
    contributions : dict of str to float
        Modality of the model to how far it moved the prediction, mean over the seeds of
        :func:`~pipeline.modality_contributions.shapley_values`; they sum to ``prediction`` minus
        ``without_all``.
    contribution_sd : dict of str to float
        Their standard deviation over the seeds; NaN for a single seed.
    without_all : float
        The prediction without any modality.
    seen : bool
        Whether the run was trained on the clip or selected by it: what is said of it is then too
        good.
    """

    id: str
    start: float
    end: float
    text: str
    label: float | None
    prediction: float
    sd: Score
    by_seed: tuple[float, ...]
    probability: float | None
    seed_interval: Interval | None
    label_interval: Interval | None
    modalities: tuple[str, ...]
    contributions: dict[str, float]
    contribution_sd: dict[str, Score]
    without_all: float
    seen: bool


@dataclass(frozen=True, kw_only=True)
class VideoPrediction:
    """What a run says of one video.

    Parameters
    ----------
    path : str
        The file.
    id : str
        SHA-256 of its bytes.
    duration : float
        Seconds.
    utterances : tuple of UtterancePrediction
        In time order; none where nobody speaks or nothing could be extracted.
    """

    path: str
    id: str
    duration: float
    utterances: tuple[UtterancePrediction, ...]


@dataclass(frozen=True, kw_only=True)
class PredictionReport:
    """What a run says of some videos.

    Parameters
    ----------
    run : str
        Its id.
    model : str
        Registered name.
    seeds : tuple of int
        Of the run.
    level : float
        Of the intervals, such as 0.95.
    validated : int
        Labelled utterances of the run's validation split, from which label intervals are.
    extracted, stored : dict of str to int
        Extractor to how many clips were extracted now, and how many had been before.
    videos : tuple of VideoPrediction
        Every readable video that was named, and no other.
    failures : tuple of Failure
        What could not be done.
    """

    run: str
    model: str
    seeds: tuple[int, ...]
    level: float
    validated: int
    extracted: dict[str, int]
    stored: dict[str, int]
    videos: tuple[VideoPrediction, ...]
    failures: tuple[Failure, ...]


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
        If there is no such run, or it predicts classes.
    SourceError
        If a source is not there.
    DataError
        If the level is not between 0 and 1, or the features are not those that the run was trained
        on.
    """
    with project.locked("predict"):
        # first, since hours of extraction would be lost
        load_sentiment_run(project.workspace.runs, run)
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
        If there is no such run, or it predicts classes.
    DataError
        If the features are not those that the run was trained on.
    """
    known = load_sentiment_run(runs_folder, run)
    folder = runs_folder / known.id
    residuals = _residuals(folder / "predictions.csv")
    segments = project.segments()
    predicted: dict[str, UtterancePrediction] = {}
    dataset = _features(project) if segments else None
    # where nobody speaks there are none, which is no failure
    if dataset is not None:
        predictor = _Predictor(
            known=known,
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


def _residuals(path: Path) -> Floats:
    """Label minus mean prediction of the validation split; none where it was not written down."""
    if not path.exists():
        return np.zeros(0)
    scored = read_predictions(path, on="valid")
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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Predictor:
    """What the seeds say of all subsets of modalities, and what follows from it."""

    known: RunReport
    by_seed: Sequence[Coalitions]
    radius: float
    level: float
    seen: frozenset[str]

    def utterances(
        self, dataset: PackedDataset, segments: Sequence[Segment]
    ) -> dict[str, UtterancePrediction]:
        everything = max(self.by_seed[0], key=len)
        scores = np.stack([values[everything] for values in self.by_seed])
        nothing = np.stack([values[frozenset()] for values in self.by_seed]).mean(axis=0)
        shares = [shapley_values(values) for values in self.by_seed]
        between = seed_interval(by_seed=scores, level=self.level)
        there = {name: rows.offsets.diff() > 0 for name, rows in dataset.modalities.items()}
        by_id = {segment.id: segment for segment in segments}
        found = {}
        for row, name in enumerate(dataset.ids):
            parts = {
                m: np.array([share[m][row] for share in shares])
                for m in MODALITIES
                if m in shares[0]
            }
            found[name] = UtterancePrediction(
                **_facts(by_id[name]),
                **self._score(scores[:, row]),
                seed_interval=None if between is None else _ends(between[0][row], between[1][row]),
                modalities=tuple(m for m in parts if m in there and bool(there[m][row])),
                contributions={m: float(part.mean()) for m, part in parts.items()},
                contribution_sd={m: _sd(part) for m, part in parts.items()},
                without_all=float(nothing[row]),
                seen=clip_names([name])[0] in self.seen,
            )
        return found

    def _score(self, by_seed: Floats) -> dict[str, Any]:
        mean = float(by_seed.mean())
        two_classes = self.known.model_config.get("regression") == "logistic"
        interval = None
        if not two_classes and np.isfinite(self.radius):
            interval = _ends(*np.clip([mean - self.radius, mean + self.radius], *LABEL_RANGE))
        return {
            "prediction": mean,
            "sd": _sd(by_seed),
            "by_seed": tuple(by_seed.tolist()),
            "probability": float(expit(by_seed).mean()) if two_classes else None,
            "label_interval": interval,
        }


def _facts(segment: Segment) -> dict[str, Any]:
    facts = asdict(segment)
    del facts["clip_id"]
    return facts


def _sd(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else math.nan


def _ends(low: float, high: float) -> Interval:
    return Interval(low=float(low), high=float(high))
