"""A run's report as MLflow's parameters, metrics and files."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.report import RunReport

#: MLflow refuses longer values.
LONGEST_VALUE = 6000
_KINDS = frozenset((".csv", ".html", ".json", ".md", ".png", ".safetensors"))
_WEIGHTS = "model.safetensors"


class MetricPoint(NamedTuple):
    """One value of a metric.

    Attributes
    ----------
    key : str
        Name.
    value : float
        Finite.
    step : int
        Epoch; 0 for what a run has one of.
    """

    key: str
    value: float
    step: int = 0


def parameters(report: RunReport) -> dict[str, str]:
    """Spell out what a run was made of.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    dict of str to str
        Such as ``training.batch_size``.
    """
    tree = {
        "model": {"name": report.model, **report.model_config},
        "training": report.training,
        "data": {"digest": report.data_digest, **report.data},
        "versions": report.versions,
        "device": report.device,
    }
    return {name: value[:LONGEST_VALUE] for name, value in _leaves(tree) if value}


def _leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value if isinstance(value, str) else json.dumps(value)


def metrics(report: RunReport) -> list[MetricPoint]:
    """List all numbers of a run.

    Parameters
    ----------
    report : RunReport
        A finished run.

    Returns
    -------
    list of MetricPoint
        Epochs as ``seed_<n>/valid_mae`` and ``seed_<n>/terms/<term>``; results as
        ``test/mae/mean``, ``sd``, ``low`` and ``high`` over the seeds, ``ensemble`` with its own
        interval, and ``constant``; seconds as ``seconds/<stage>``. What is not defined is left out.
    """
    points = [*_epochs(report), *_results(report)]
    points += [MetricPoint(f"seconds/{stage}", spent) for stage, spent in report.timings.items()]
    return [point for point in points if math.isfinite(point.value)]


def _epochs(report: RunReport) -> Iterator[MetricPoint]:
    for seed in report.seeds:
        for record in seed.history:
            for name, value in asdict(record).items():
                numbers = value if isinstance(value, dict) else {"": value}
                for inner, number in numbers.items():
                    if name != "epoch" and isinstance(number, int | float):
                        key = f"seed_{seed.seed}/{name}/{inner}".rstrip("/")
                        yield MetricPoint(key, float(number), record.epoch)
        yield MetricPoint(f"seed_{seed.seed}/best_epoch", float(seed.best_epoch))


def _results(report: RunReport) -> Iterator[MetricPoint]:
    for on, summaries in report.summary.items():
        for metric, summary in summaries.items():
            key = f"{on}/{metric}"
            yield MetricPoint(f"{key}/mean", summary.mean)
            yield MetricPoint(f"{key}/sd", summary.sd)
            for name, scores in (("ensemble", report.ensemble), ("constant", report.constant)):
                if on in scores:
                    yield MetricPoint(f"{key}/{name}", getattr(scores[on], metric))
    for prefix, ends in (("", report.intervals), ("ensemble_", report.ensemble_intervals)):
        for on, intervals in ends.items():
            for metric, interval in intervals.items():
                yield MetricPoint(f"{on}/{metric}/{prefix}low", interval.low)
                yield MetricPoint(f"{on}/{metric}/{prefix}high", interval.high)


def artifacts(folder: Path, *, weights: bool) -> list[Path]:
    """List the files of a run that are worth keeping.

    Parameters
    ----------
    folder : Path
        The run's.
    weights : bool
        Whether the seeds' weights are among them.

    Returns
    -------
    list of Path
        Reports, figures, predictions, settings, and the seeds' results; nothing unfinished.
    """
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in _KINDS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and (path.suffix != ".safetensors" or (weights and path.name == _WEIGHTS))
    )


def milliseconds(time: str) -> int:
    """Read a time as MLflow writes it.

    Parameters
    ----------
    time : str
        ISO 8601.

    Returns
    -------
    int
        Milliseconds since 1970.
    """
    return round(1000 * datetime.fromisoformat(time).timestamp())
