"""Runs: all seeds of one training, their evaluation, and the folder that holds both."""

import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter

from models.base import get as get_model
from pipeline.atomic import write_text
from pipeline.checkpoint import FORMAT, plain_model_config
from pipeline.dataset import PackedDataset
from pipeline.errors import ConfigError
from pipeline.evaluation import constant_baseline, labelled
from pipeline.figures import save_figure
from pipeline.fingerprint import settings_digest
from pipeline.report import RunReport, SeedReport, summarise
from pipeline.run_examples import SourceSpan, save_spans
from pipeline.run_figures import run_figures
from pipeline.run_findings import SPANS_FILE
from pipeline.run_folder import load_run, mark_latest
from pipeline.run_pages import write_pages
from pipeline.run_parts import save_parts
from pipeline.run_predictions import Floats, Predictions, predict_seeds
from pipeline.run_task import Metrics, RunTask
from pipeline.splits import SPLIT_NAMES, Split
from pipeline.training import train_seeds
from pipeline.training_config import Device, TrainingConfig, choose_device
from pipeline.training_state import EpochRecord, SeedResult
from pipeline.training_unlabelled import unlabelled_ids

#: What a caller may say about how the data came to be.
CONTEXT_KEYS = ("data", "examples", "extraction", "failures", "features", "timings")


def run_id(
    *,
    dataset: PackedDataset,
    split: Split,
    model_name: str,
    model_config: Any,
    training: TrainingConfig,
) -> str:
    """Name a run by everything that its result depends on.

    Parameters
    ----------
    dataset : PackedDataset
        The data, by its digest.
    split : Split
        Of the data.
    model_name : str
        Registered name.
    model_config : mapping or instance of the model's ``Config``
        Hyper-parameters; defaults may be left out without changing the name.
    training : TrainingConfig
        How to train; the device does not matter.

    Returns
    -------
    str
        ``<model>-<12 hexadecimal digits>``.

    Raises
    ------
    ConfigError
        If the model's configuration is not valid.
    """
    digest = settings_digest(
        {
            "model": [
                model_name,
                get_model(model_name).version,
                plain_model_config(model_name, model_config),
            ],
            "training": training.identity | {"seeds": list(training.seeds)},
            "data": dataset.digest,
            "split": split.facts(),
            "format": FORMAT,
        }
    )
    return f"{model_name}-{digest[:12]}"


def train_run(
    *,
    dataset: PackedDataset,
    split: Split,
    model_name: str,
    model_config: Any,
    training: TrainingConfig,
    runs_folder: Path,
    context: Mapping[str, Any] | None = None,
    on_progress: Callable[[int, EpochRecord], None] | None = None,
) -> RunReport:
    """Train all seeds, evaluate them, and write the run's folder.

    What an earlier call finished is not done again: a complete run is returned, with the present
    failures in its report, and an interrupted one goes on after its last epoch.
    :func:`discard_run` makes it start anew.

    Parameters
    ----------
    dataset : PackedDataset
        With labels.
    split : Split
        Of the data set.
    model_name : str
        Registered name.
    model_config : mapping or instance of the model's ``Config``
        Hyper-parameters.
    training : TrainingConfig
        How to train.
    runs_folder : Path
        Receives a folder named by :func:`run_id`.
    context : mapping, optional
        For the report: ``timings`` (stage to seconds), ``failures`` (list of dict), ``extraction``
        (dict of counts), ``data`` (dict of further facts), ``examples`` (segment id to
        :class:`~pipeline.run_examples.SourceSpan`) and ``features`` (the store's folders that the
        data are from, for maintenance).
    on_progress : callable, optional
        Called with seed and epoch after each epoch.

    Returns
    -------
    RunReport
        As written to ``report.json``.

    Raises
    ------
    ConfigError
        If a configuration is not valid, or ``context`` has another key.
    DataError
        If a split is too small.
    RunError
        If a training diverges.
    """
    facts = _checked_context(context)
    name = run_id(
        dataset=dataset,
        split=split,
        model_name=model_name,
        model_config=model_config,
        training=training,
    )
    folder = runs_folder / name
    if (folder / "report.json").exists():
        mark_latest(runs_folder, name)
        return _with_present_failures(folder, facts["failures"])
    run = _Run(
        folder=folder,
        dataset=dataset,
        split=split,
        model_name=model_name,
        model_config=plain_model_config(model_name, model_config),
        training=training,
    )
    report = run.complete(facts, on_progress)
    mark_latest(runs_folder, name)
    return report


def predict_run(
    *, runs_folder: Path, run: str, dataset: PackedDataset, device: Device = "auto"
) -> Predictions:
    """Predict utterances, labelled or not, with all seeds of a run.

    Parameters
    ----------
    runs_folder : Path
        Where runs lie.
    run : str
        A complete run's id, or ``latest``.
    dataset : PackedDataset
        Features with the columns of the run's training.
    device : {"auto", "cpu", "cuda"}
        Where to compute.

    Returns
    -------
    Predictions
        Of every utterance, in the data set's order.

    Raises
    ------
    RunError
        If there is no such run.
    DataError
        If the data set's columns are not those of the training.
    """
    report = load_run(runs_folder, run)
    return predict_seeds(
        folder=runs_folder / report.id,
        seeds=tuple(seed.seed for seed in report.seeds),
        dataset=dataset,
        ids=dataset.ids,
        device=choose_device(device),
        task=report.task,
    )


def _with_present_failures(folder: Path, failures: Sequence[dict[str, Any]]) -> RunReport:
    """Bring a complete run's report up to date: the same data, but other files may be broken."""
    report = RunReport.load(folder / "report.json")
    if list(report.failures) != list(failures):
        report = replace(report, failures=tuple(failures))
        write_pages(folder, report)
        report.save(folder / "report.json")
    return report


def _checked_context(context: Mapping[str, Any] | None) -> dict[str, Any]:
    given = dict(context or {})
    unknown = sorted(set(given) - set(CONTEXT_KEYS))
    if unknown:
        raise ConfigError(f"context of a run: unknown {unknown}; there are {list(CONTEXT_KEYS)}")
    nothing: dict[str, Any] = {key: {} for key in CONTEXT_KEYS}
    return nothing | {"failures": (), "features": ()} | given


@dataclass(frozen=True, kw_only=True, eq=False)
class _Run:
    """A run that is not complete."""

    folder: Path
    dataset: PackedDataset
    split: Split
    model_name: str
    model_config: dict[str, Any]
    training: TrainingConfig

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "model": self.model_name,
            "model_config": self.model_config,
            "training": TypeAdapter(TrainingConfig).dump_python(self.training, mode="json"),
            "data_digest": self.dataset.digest,
        }

    @property
    def task(self) -> RunTask:
        labels = self.dataset.labels.double().cpu().numpy()
        return RunTask.of(self.model_config, labels=labels[np.isfinite(labels)])

    def complete(
        self, context: Mapping[str, Any], on_progress: Callable[[int, EpochRecord], None] | None
    ) -> RunReport:
        # first, since it refuses a split that cannot be evaluated before hours of training
        task = self.task
        constant = {
            on: constant_baseline(dataset=self.dataset, split=self.split, on=on, task=task)
            for on in SPLIT_NAMES
        }
        unlabelled = unlabelled_ids(
            dataset=self.dataset, split=self.split, split_rate=self.training.split_rate
        )
        config = self.settings | {"split": self.split.facts(), "unlabelled": unlabelled}
        config["features"] = context["features"]
        write_text(self.folder / "config.json", json.dumps(config, indent=1))
        results = train_seeds(
            dataset=self.dataset,
            split=self.split,
            model_name=self.model_name,
            model_config=self.model_config,
            config=self.training,
            folder=self.folder,
            on_epoch=on_progress,
        )
        started = time.perf_counter()
        predictions = self._predict()
        seeds, ensemble = self._evaluate(results, predictions)
        of_seeds, of_mean = predictions.intervals(self.dataset, self.split.test)
        spent = {
            "train": sum(epoch.seconds for result in results.values() for epoch in result.history),
            "evaluate": time.perf_counter() - started,
        }
        report = RunReport(
            id=self.folder.name,
            created=datetime.now(UTC).isoformat(timespec="milliseconds"),
            **self.settings,
            data=_data_facts(self.dataset, self.split) | context["data"],
            versions=_versions(),
            device=results[self.training.seeds[0]].device,
            timings=context["timings"] | spent,
            seeds=seeds,
            summary=summarise(seeds, metric_names=task.metric_names),
            ensemble=ensemble,
            constant=constant,
            intervals={"test": of_seeds},
            ensemble_intervals={"test": of_mean},
            collection={}
            if task.classes
            else predictions.collection_scores(self.dataset, self.split.test),
            failures=tuple(context["failures"]),
            extraction=context["extraction"],
            classes=task.classes,
        )
        self._keep_for_report(context["examples"])
        self._write(report, predictions)
        return report

    def _keep_for_report(self, examples: Mapping[str, SourceSpan]) -> None:
        """Keep of the test split what a report shows besides scores."""
        spans = {name: examples[name] for name in self.split.test if name in examples}
        if spans:
            save_spans(self.folder / SPANS_FILE, spans)
        save_parts(
            folder=self.folder,
            dataset=self.dataset,
            split=self.split,
            model_config=self.model_config,
            seed=self.training.seeds[0],
            device=choose_device(self.training.device),
        )

    def _predict(self) -> Predictions:
        predictions = predict_seeds(
            folder=self.folder,
            seeds=self.training.seeds,
            dataset=self.dataset,
            ids=self.split.train + self.split.valid + self.split.test,
            device=choose_device(self.training.device),
            task=self.task,
        )
        predictions.save(self.folder / "predictions.csv", dataset=self.dataset, split=self.split)
        return predictions

    def _evaluate(
        self, results: Mapping[int, SeedResult], predictions: Predictions
    ) -> tuple[tuple[SeedReport, ...], dict[str, Metrics]]:
        """Metrics of every seed and of what they say together, by split."""
        seeds = tuple(
            SeedReport(
                seed=seed,
                best_epoch=result.best_epoch,
                history=result.history,
                metrics=self._metrics(predictions, self.task.said(predictions.by_seed[seed])),
            )
            for seed, result in results.items()
        )
        return seeds, self._metrics(predictions, predictions.together)

    def _metrics(self, predictions: Predictions, said: Floats) -> dict[str, Metrics]:
        metrics = {}
        for on in SPLIT_NAMES:
            rows, target = predictions.targets(self.dataset, getattr(self.split, on))
            metrics[on] = self.task.metrics(said[rows], target)
        return metrics

    def _write(self, report: RunReport, predictions: Predictions) -> None:
        """Write page and figures, and last the report, which says that the run is complete."""
        targets = {
            on: predictions.targets(self.dataset, getattr(self.split, on)) for on in SPLIT_NAMES
        }
        for name, figure in run_figures(report, predictions, targets).items():
            save_figure(figure, self.folder / "figures" / f"{name}.png")
        write_pages(self.folder, report)
        report.save(self.folder / "report.json")


def _data_facts(dataset: PackedDataset, split: Split) -> dict[str, Any]:
    return {
        "utterances": {name: len(labelled(dataset, getattr(split, name))) for name in SPLIT_NAMES},
        "modalities": {
            name: {
                "features": ragged.values.shape[1],
                "rows": len(ragged.values),
                "valid": int(ragged.valid.sum()),
                "without": int((ragged.offsets.diff() == 0).sum()),
            }
            for name, ragged in dataset.modalities.items()
        },
        "unlabelled utterances": int(torch.isnan(dataset.labels).sum()),
    }


def _versions() -> dict[str, str]:
    return {
        "winnow": version("winnow"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
    }
