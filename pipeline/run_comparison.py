"""Two runs beside each other on the same test utterances."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import ModelError
from pipeline.bootstrap import Bootstrap, Interval, paired_bootstrap
from pipeline.clip_names import clip_names
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError, StoreError
from pipeline.evaluation import labelled
from pipeline.metrics import Score
from pipeline.report import RunReport
from pipeline.run_folder import load_run
from pipeline.run_predictions import predict_seeds, read_predictions
from pipeline.run_task import RunTask
from pipeline.splits import Split
from pipeline.training_config import Device, choose_device

_SMALLER_IS_BETTER = frozenset(("mae",))
TODAY = "the features of today"
STORED = "its stored predictions"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How much better a candidate is than the champion.

    Parameters
    ----------
    metric : str
        What is compared, of the mean of each run's seeds.
    candidate, champion : float
        Its values.
    improvement : float
        Positive where the candidate is better.
    interval : Interval
        Of the improvement, by the paired bootstrap over clips.
    confidence : float
        Share of resampled improvements in the interval.
    p_value : float
        Two-sided.
    utterances, clips : int
        That were predicted by both and have a label.
    champion_from : str
        Whether the champion was evaluated on :data:`TODAY`, or :data:`STORED` had to do.
    """

    metric: str
    candidate: Score
    champion: Score
    improvement: Score
    interval: Interval
    confidence: float
    p_value: Score
    utterances: int
    clips: int
    champion_from: str

    @property
    def better(self) -> bool:
        """Whether the candidate is better beyond noise; not if nobody knows the noise."""
        return self.interval.low > 0

    @property
    def enough_clips(self) -> bool:
        """Whether not all clips can be better by chance more often than the interval allows.

        Two runs that are equally good differ in the same direction on all of n clips with a
        probability of ``2 ** -n`` each way; with fewer clips the bootstrap's interval is too
        narrow.
        """
        return 2.0**-self.clips <= (1 - self.confidence) / 2

    def __str__(self) -> str:
        ends = f"{self.interval.low:.4g} to {self.interval.high:.4g}"
        return (
            f"{self.metric} {self.candidate:.4g} against {self.champion:.4g}, better by "
            f"{self.improvement:.4g}, {100 * self.confidence:g} % interval {ends}, "
            f"on {self.utterances} utterances of {self.clips} clips"
        )


def compare_runs(
    *,
    runs_folder: Path,
    candidate: str,
    champion: str,
    dataset: PackedDataset,
    split: Split,
    metric: str,
    confidence: float,
    device: Device = "auto",
) -> Comparison:
    """Compare two complete runs on the labelled test utterances, both on the same resampled clips.

    Parameters
    ----------
    runs_folder : Path
        Where both lie.
    candidate, champion : str
        Their ids.
    dataset : PackedDataset
        The features of today. If the champion cannot read them, what it predicted when it was
        trained is compared.
    split : Split
        Of the data set; neither run has learned from its test utterances.
    metric : str
        One of :data:`pipeline.metrics.METRIC_NAMES`; of classes it is the accuracy.
    confidence : float
        Share of resampled improvements in the interval.
    device : {"auto", "cpu", "cuda"}
        Where to predict.

    Returns
    -------
    Comparison
        Deterministic on a CPU.

    Raises
    ------
    DataError
        If both runs have no test utterance in common, or do not predict the same.
    RunError
        If a run is not complete.
    """
    new_run, old_run = (load_run(runs_folder, run) for run in (candidate, champion))
    task, old_task = _tasks(new_run, old_run)
    index = labelled(dataset, split.test).tolist()
    ids = tuple(dataset.ids[position] for position in index)
    old, champion_from = _champion(runs_folder, old_run, old_task, dataset, ids, device)
    ids = tuple(name for name in ids if name in old)
    if not ids:
        raise DataError(
            f"champion {champion!r} has predicted none of {len(index)} test utterances and cannot "
            "read their features; promote the candidate with --force, or set another champion"
        )
    new = _predict(runs_folder, new_run, task, dataset, ids, device)
    target = task.target(dataset.labels[dataset.positions(ids)].double().cpu().numpy())
    first, second = (np.array([said[name] for name in ids]) for said in (new, old))
    metric = "accuracy" if task.classes else metric
    clips = clip_names(ids)
    found = paired_bootstrap(
        first=first,
        second=second,
        target=target,
        clips=clips,
        scoring=task.scoring,
        bootstrap=Bootstrap(level=confidence),
    )[metric]
    sign = -1.0 if metric in _SMALLER_IS_BETTER else 1.0
    ends = sorted((sign * found.interval.low, sign * found.interval.high))
    return Comparison(
        metric=metric,
        candidate=task.scoring.score(first, target)[metric],
        champion=task.scoring.score(second, target)[metric],
        improvement=sign * found.difference,
        interval=Interval(low=ends[0], high=ends[1]),
        confidence=confidence,
        p_value=found.p_value,
        utterances=len(ids),
        clips=len(set(clips)),
        champion_from=champion_from,
    )


def _tasks(candidate: RunReport, champion: RunReport) -> tuple[RunTask, RunTask]:
    """Tell what both are asked for; how the scores of two classes are read is each run's affair."""
    one, other = candidate.task, champion.task
    if not any(task.numbered or task.log_odds for task in (one, other)):
        # the same scores: whether all labels are 0 and 1 today is not what a run has learned
        return one, one
    if (one.classes, one.numbered) != (other.classes, other.numbered):
        raise DataError(
            f"candidate {candidate.id!r} predicts {_words(one)}, champion {champion.id!r} "
            f"{_words(other)}: they cannot be compared; promote the candidate with --force, or set "
            "another champion"
        )
    return one, other


def _words(task: RunTask) -> str:
    return f"the classes {', '.join(task.classes)}" if task.classes else "scores"


def _predict(
    runs_folder: Path,
    report: RunReport,
    task: RunTask,
    dataset: PackedDataset,
    ids: tuple[str, ...],
    device: Device,
) -> dict[str, float]:
    """Take what a run's seeds say together, as for new videos."""
    predictions = predict_seeds(
        folder=runs_folder / report.id,
        seeds=tuple(seed.seed for seed in report.seeds),
        dataset=dataset,
        ids=ids,
        device=choose_device(device),
        task=task,
    )
    return dict(zip(ids, predictions.together.tolist(), strict=True))


def _champion(
    runs_folder: Path,
    report: RunReport,
    task: RunTask,
    dataset: PackedDataset,
    ids: tuple[str, ...],
    device: Device,
) -> tuple[dict[str, float], str]:
    try:
        return _predict(runs_folder, report, task, dataset, ids, device), TODAY
    except (DataError, StoreError, ModelError):
        # its extractors are set differently by now, or its file is of another version
        path = runs_folder / report.id / "predictions.csv"
        stored = read_predictions(path, on="test", classes=task.class_numbers)
        together = task.together(stored.by_seed, stored.probabilities)
        return dict(zip(stored.ids, together.tolist(), strict=True)), STORED
