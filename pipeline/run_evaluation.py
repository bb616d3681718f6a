"""A finished run on the utterances of a split as they are now."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.bootstrap import Interval
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError
from pipeline.report import Summary
from pipeline.run_folder import load_run
from pipeline.run_predictions import predict_seeds
from pipeline.run_task import Metrics
from pipeline.score_summary import mean_and_sd
from pipeline.splits import SPLIT_NAMES, Split
from pipeline.training_config import Device, Selection, choose_device


@dataclass(frozen=True, kw_only=True)
class RunEvaluation:
    """Scores of a run on a split.

    Parameters
    ----------
    run : str
        Its id.
    on : str
        The split.
    selection : {"valid", "test_oracle"}
        Which split's error selected the run's epochs.
    metrics : dict of str to SentimentMetrics or CategoryMetrics
        ``seed <n>`` for each seed, and ``ensemble`` for what they say together.
    summary : dict of str to Summary
        Metric to its mean and standard deviation over the seeds.
    intervals, ensemble_intervals : dict of str to Interval
        Metric to the 95 % interval, by the bootstrap over clips, of its mean over the seeds and of
        the ensemble's.
    """

    run: str
    on: str
    selection: Selection
    metrics: Mapping[str, Metrics]
    summary: Mapping[str, Summary]
    intervals: Mapping[str, Interval]
    ensemble_intervals: Mapping[str, Interval]


def evaluate_run(
    *,
    runs_folder: Path,
    run: str,
    dataset: PackedDataset,
    split: Split,
    on: str,
    device: Device = "auto",
) -> RunEvaluation:
    """Score a run's checkpoints.

    Parameters
    ----------
    runs_folder : Path
        Where runs lie.
    run : str
        A complete run's id, or one of its names such as ``latest``.
    dataset : PackedDataset
        Features with the columns of the run's training, and labels.
    split : Split
        Of the data set.
    on : {"train", "valid", "test"}
        Which part of it.
    device : {"auto", "cpu", "cuda"}
        Where to compute.

    Returns
    -------
    RunEvaluation
        Of the labelled utterances.

    Raises
    ------
    RunError
        If there is no such run.
    DataError
        If the split is unknown or has no labelled utterance, or the features are not those of the
        run.
    """
    if on not in SPLIT_NAMES:
        raise DataError(f"unknown split {on!r}; there are {list(SPLIT_NAMES)}")
    report, ids = load_run(runs_folder, run), getattr(split, on)
    task = report.task
    predictions = predict_seeds(
        folder=runs_folder / report.id,
        seeds=tuple(seed.seed for seed in report.seeds),
        dataset=dataset,
        ids=ids,
        device=choose_device(device),
        task=task,
    )
    rows, target = predictions.targets(dataset, ids)
    said = {f"seed {seed}": task.said(values) for seed, values in predictions.by_seed.items()}
    metrics = {
        name: task.metrics(values[rows], target)
        for name, values in (said | {"ensemble": predictions.together}).items()
    }
    of_seeds, of_mean = predictions.intervals(dataset, ids)
    return RunEvaluation(
        run=report.id,
        on=on,
        selection=report.selection,
        metrics=metrics,
        summary={
            name: Summary(**mean_and_sd([getattr(metrics[seed], name) for seed in said]))
            for name in task.metric_names
        },
        intervals=of_seeds,
        ensemble_intervals=of_mean,
    )
