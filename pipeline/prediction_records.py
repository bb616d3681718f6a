"""What a run says of videos, as it is written down."""

from dataclasses import dataclass

from pipeline.bootstrap import Interval
from pipeline.metrics import Score
from pipeline.records import Failure


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
    predicted_class : str or None
        The class with the largest mean probability; None where a score is predicted.
    class_probabilities : dict of str to float
        Every class to its probability, mean over the seeds; empty where a score is predicted.
    class_set : tuple of str or None
        The classes of which the true one is one, the most probable first, as
        :func:`~pipeline.prediction_intervals.conformal_set` of the validation split; None of scores
        and where that split is too small.
    prediction : float
        Mean score over the run's seeds; of classes the probability of the predicted one.
    sd : float
        Standard deviation over the seeds, n - 1 in the denominator; NaN for a single seed.
    by_seed : tuple of float
        Of every seed, in the order of the report's.
    seed_interval : Interval or None
        Where the mean of infinitely many seeds would be, as
        :func:`~pipeline.prediction_intervals.seed_interval`, a probability cut off at 0 and 1; None
        for a single seed.
    label_interval : Interval or None
        Where the label is, :func:`~pipeline.prediction_intervals.conformal_radius` of the
        validation split, cut off at the ends of the labels' range; None of classes and where that
        split is too small.
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
    predicted_class: str | None
    class_probabilities: dict[str, float]
    class_set: tuple[str, ...] | None
    prediction: float
    sd: Score
    by_seed: tuple[float, ...]
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
        Labelled utterances of the run's validation split, from which label intervals and sets of
        classes are.
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
