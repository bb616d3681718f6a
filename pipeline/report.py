"""What a run was made of and what it found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.atomic import write_bytes
from pipeline.bootstrap import Interval
from pipeline.errors import RunError, StoreError
from pipeline.metrics import METRIC_NAMES, Score
from pipeline.records import LABEL_RANGE
from pipeline.run_task import Metrics, RunTask
from pipeline.score_summary import SeedScores, mean_and_sd
from pipeline.training_config import Selection
from pipeline.training_state import EpochRecord

# where the scores of classes once stood, beside those of their numbers
_FORMER_GROUPS = frozenset(("two_classes", "classes"))


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One metric over the seeds.

    Parameters
    ----------
    mean : float
        Mean over the seeds.
    sd : float
        Standard deviation over the seeds, n - 1 in the denominator; NaN for a single seed.
    """

    mean: Score
    sd: Score


@dataclass(frozen=True, kw_only=True)
class SeedReport:
    """One seed of a run.

    Parameters
    ----------
    seed : int
        The seed.
    best_epoch : int
        The epoch whose weights were kept, from 0.
    history : tuple of EpochRecord
        All epochs.
    metrics : dict of str to SentimentMetrics or CategoryMetrics
        By split.
    """

    seed: int
    best_epoch: int
    history: tuple[EpochRecord, ...]
    metrics: dict[str, Metrics]


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """A finished run.

    Parameters
    ----------
    id : str
        ``<model>-<12 hexadecimal digits>`` of everything that the result depends on.
    created : str
        UTC time, ISO 8601.
    model : str
        Registered name.
    model_config, training : dict
        All settings, plain JSON values.
    data_digest : str
        Of the packed data set.
    data : dict
        Facts about the data: ``utterances`` by split, ``unlabelled``, ``modalities`` with their
        widths and rows, and what the caller added.
    versions : dict of str to str
        Of Python, torch and Winnow, and the platform.
    device : str
        What it was trained on.
    timings : dict of str to float
        Seconds by stage.
    seeds : tuple of SeedReport
        One a seed.
    summary : dict of str to dict of str to Summary
        Split to metric to mean and standard deviation over the seeds.
    ensemble : dict of str to SentimentMetrics or CategoryMetrics
        Split to the metrics of the seeds' mean prediction, of classes of the most probable by the
        mean of their probabilities.
    constant : dict of str to SentimentMetrics or CategoryMetrics
        Split to the metrics of always saying the training split's median, or its commonest class.
    intervals, ensemble_intervals : dict of str to dict of str to Interval
        For the test split, metric to the 95 % interval, by the bootstrap over clips, of its mean
        over the seeds, and of the seeds' mean prediction; empty in reports from before there were
        any.
    collection : dict of str to dict of str to SeedScores
        On the test split, one of :data:`pipeline.collection_metrics.COLLECTION_METRICS` to metric
        to its scores; those that fit the labels.
    failures : tuple of dict
        What could not be ingested or extracted: ``item``, ``step``, ``code``, ``detail``.
    extraction : dict
        What the extractors did, as counted by the caller.
    classes : tuple of str
        Names of the classes that are predicted; none where a score is.
    """

    id: str
    created: str
    model: str
    model_config: dict[str, Any]
    training: dict[str, Any]
    data_digest: str
    data: dict[str, Any]
    versions: dict[str, str]
    device: str
    timings: dict[str, float]
    seeds: tuple[SeedReport, ...]
    summary: dict[str, dict[str, Summary]]
    ensemble: dict[str, Metrics]
    constant: dict[str, Metrics]
    intervals: dict[str, dict[str, Interval]] = field(default_factory=dict)
    ensemble_intervals: dict[str, dict[str, Interval]] = field(default_factory=dict)
    collection: dict[str, dict[str, SeedScores]] = field(default_factory=dict)
    failures: tuple[dict[str, Any], ...] = ()
    extraction: dict[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()

    @property
    def task(self) -> RunTask:
        """What is predicted."""
        return RunTask.of(self.model_config, classes=self.classes) if self.classes else RunTask()

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The metrics of the test split, in the order of a table's columns."""
        return tuple(self.summary["test"])

    @property
    def label_range(self) -> tuple[float, float]:
        """The ends of a figure's axis: -1 and 1 where all labels lie there, otherwise -3 and 3."""
        return (-1.0, 1.0) if "sims" in self.collection else LABEL_RANGE

    @property
    def selection(self) -> Selection:
        """Which split's error selected the epochs."""
        found: Selection = self.training.get("selection", "valid")
        return found

    def save(self, path: Path) -> None:
        """Write as JSON, atomically; NaN is written as null.

        Parameters
        ----------
        path : Path
            Where to.
        """
        write_bytes(path, TypeAdapter(RunReport).dump_json(self, indent=1))

    @classmethod
    def load(cls, path: Path) -> "RunReport":
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        RunReport
            As saved.

        Raises
        ------
        StoreError
            If the file is not there or damaged.
        RunError
            If the run is of classes, and of a version that scored their numbers.
        """
        try:
            report = TypeAdapter(RunReport).validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise StoreError(f"{path}: not a run's report; train again") from error
        if not report.classes and _FORMER_GROUPS & set(report.collection):
            raise RunError(
                f"run {report.id}: its classes were scored by an earlier version; delete "
                f"{path.parent} and train again, or do both with `winnow train --fresh`"
            )
        return report


def summarise(
    seeds: tuple[SeedReport, ...], *, metric_names: Sequence[str] = METRIC_NAMES
) -> dict[str, dict[str, Summary]]:
    """Average the metrics over the seeds.

    Parameters
    ----------
    seeds : tuple of SeedReport
        At least one, all with the same splits.
    metric_names : sequence of str
        Which metrics.

    Returns
    -------
    dict of str to dict of str to Summary
        Split to metric to mean and standard deviation. A seed whose metric is NaN makes both NaN.
    """
    summary: dict[str, dict[str, Summary]] = {}
    for split in seeds[0].metrics:
        summary[split] = {}
        for name in metric_names:
            values = [getattr(seed.metrics[split], name) for seed in seeds]
            summary[split][name] = Summary(**mean_and_sd(values))
    return summary
