"""What the seeds of a run predict."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from pipeline.atomic import write_text
from pipeline.bootstrap import Interval
from pipeline.checkpoint import load_checkpoint
from pipeline.clip_names import clip_names
from pipeline.collection_metrics import collection_scores
from pipeline.dataset import PackedDataset
from pipeline.dataset_placement import place
from pipeline.errors import StoreError
from pipeline.evaluation import predict_scores
from pipeline.run_task import RunTask
from pipeline.score_summary import SeedScores
from pipeline.splits import SPLIT_NAMES, Split

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What every seed predicts for n utterances.

    Parameters
    ----------
    ids : tuple of str, length n
        Segment ids.
    by_seed : dict of int to ndarray of float64, shape (n,)
        Seed to scores, or to the numbers of the most probable classes.
    probabilities : dict of int to ndarray of float64, shape (n, classes)
        Seed to those of the classes that a model has an output each for; empty otherwise.
    task : RunTask
        What is predicted.
    """

    ids: tuple[str, ...]
    by_seed: dict[int, Floats]
    probabilities: dict[int, Floats] = field(default_factory=dict)
    task: RunTask = field(default_factory=RunTask)

    @property
    def stacked(self) -> Floats:
        """All seeds', shape (seeds, n)."""
        return np.stack(list(self.by_seed.values()))

    @property
    def mean(self) -> Floats:
        """Mean over the seeds, shape (n,)."""
        mean: Floats = self.stacked.mean(axis=0)
        return mean

    @property
    def sd(self) -> Floats:
        """Standard deviation over the seeds, n - 1 in the denominator, shape (n,); NaN for one."""
        if len(self.by_seed) == 1:
            return np.full(len(self.ids), np.nan)
        sd: Floats = self.stacked.std(axis=0, ddof=1)
        return sd

    @property
    def class_probabilities(self) -> Floats:
        """Of every seed, shape (seeds, n, classes)."""
        if self.probabilities:
            return np.stack(list(self.probabilities.values()))
        return self.task.probabilities(self.stacked)

    @property
    def together(self) -> Floats:
        """What the seeds say, shape (n,); see :meth:`pipeline.run_task.RunTask.together`."""
        likely = self.class_probabilities.mean(axis=0) if self.task.classes else None
        return self.task.together(self.stacked, likely)

    def targets(
        self, dataset: PackedDataset, ids: Sequence[str]
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """Look up the labelled ones of some utterances.

        Parameters
        ----------
        dataset : PackedDataset
            With their labels.
        ids : sequence of str
            Segment ids, all predicted.

        Returns
        -------
        rows : ndarray of int64, shape (k,)
            Positions in the predictions.
        target : ndarray of float64, shape (k,)
            Their labels.
        """
        labels = dataset.labels[dataset.positions(ids)].double().numpy()
        row = {name: number for number, name in enumerate(self.ids)}
        rows = np.array([row[name] for name in ids], np.int64)
        known = ~np.isnan(labels)
        return rows[known], labels[known]

    def intervals(
        self, dataset: PackedDataset, ids: Sequence[str]
    ) -> tuple[dict[str, Interval], dict[str, Interval]]:
        """Tell how far metrics would move with other clips.

        Parameters
        ----------
        dataset : PackedDataset
            With their labels.
        ids : sequence of str
            Segment ids, all predicted; the labelled ones count.

        Returns
        -------
        of_seeds : dict of str to Interval
            Metric to the 95 % interval of its mean over the seeds.
        of_mean : dict of str to Interval
            Metric to that of what the seeds say together.
        """
        rows, target = self.targets(dataset, ids)
        clips = clip_names([self.ids[row] for row in rows])
        of_seeds, of_mean = (
            self.task.intervals(said, target, clips=clips)
            for said in (self.task.said(self.stacked)[:, rows], self.together[rows])
        )
        return of_seeds, of_mean

    def collection_scores(
        self, dataset: PackedDataset, ids: Sequence[str]
    ) -> dict[str, dict[str, SeedScores]]:
        """Score as single collections do, see :mod:`pipeline.collection_metrics`.

        Parameters
        ----------
        dataset : PackedDataset
            With their labels.
        ids : sequence of str
            Segment ids, all predicted; the labelled ones count.

        Returns
        -------
        dict of str to dict of str to SeedScores
            Those that fit the data set's labels.
        """
        rows, target = self.targets(dataset, ids)
        labels = dataset.labels.double().cpu().numpy()
        return collection_scores(
            predictions=self.stacked[:, rows],
            target=target,
            clips=clip_names([self.ids[row] for row in rows]),
            labels=labels[np.isfinite(labels)],
        )

    def save(self, path: Path, *, dataset: PackedDataset, split: Split) -> None:
        """Write as CSV, atomically: segment, split, target, each seed, mean.

        Of numbered classes the names are written, instead of the mean the class that is most
        probable by the seeds' mean, and then the mean probability of each.

        Parameters
        ----------
        path : Path
            Where to.
        dataset : PackedDataset
            With the labels; an unlabelled utterance's target is left empty.
        split : Split
            That the utterances belong to.
        """
        place = {name: on for on in SPLIT_NAMES for name in getattr(split, on)}
        labels = dataset.labels[dataset.positions(self.ids)].tolist()
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        heading = ["segment", "split", "target", *(f"seed {seed}" for seed in self.by_seed)]
        classes, likely, together = self.task.class_numbers, np.zeros((len(self.ids), 0)), self.mean
        if classes:
            likely, together = self.class_probabilities.mean(axis=0), self.together
        writer.writerow([*heading, "together" if classes else "mean", *map(_column, classes)])
        columns = zip(*self.by_seed.values(), together, strict=True)
        for name, label, said, shares in zip(self.ids, labels, columns, likely, strict=True):
            target = "" if np.isnan(label) else _text(label, classes)
            values = (_text(value, classes) for value in said)
            writer.writerow([name, place[name], target, *values, *(f"{p:.6g}" for p in shares)])
        write_text(path, stream.getvalue())


def _column(name: str) -> str:
    return f"p({name})"


def _text(value: float, classes: Sequence[str]) -> str:
    return classes[int(value)] if classes else f"{value:.6g}"


class Scored(NamedTuple):
    """What was predicted for n labelled utterances.

    Attributes
    ----------
    ids : tuple of str, length n
        Segment ids.
    target : ndarray of float64, shape (n,)
        Labels.
    by_seed : ndarray of float64, shape (seeds, n)
        Scores, or numbers of classes.
    probabilities : ndarray of float64, shape (n, classes), or None
        Of numbered classes, mean over the seeds.
    """

    ids: tuple[str, ...]
    target: Floats
    by_seed: Floats
    probabilities: Floats | None = None

    def class_probabilities(self, task: RunTask) -> Floats:
        """Tell how probable the classes are.

        Parameters
        ----------
        task : RunTask
            Of classes.

        Returns
        -------
        ndarray of float64, shape (n, classes)
            Mean over the seeds.
        """
        if self.probabilities is not None:
            return self.probabilities
        mean: Floats = task.probabilities(self.by_seed).mean(axis=0)
        return mean


def read_predictions(path: Path, *, on: str, classes: Sequence[str] = ()) -> Scored:
    """Read what :meth:`Predictions.save` wrote of a split's labelled utterances.

    Parameters
    ----------
    path : Path
        A run's ``predictions.csv``.
    on : {"train", "valid", "test"}
        Which split.
    classes : sequence of str
        Names of numbered classes.

    Returns
    -------
    Scored
        To six digits.

    Raises
    ------
    StoreError
        If the file is not there or damaged.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [r for r in csv.DictReader(stream) if r["split"] == on and r["target"]]
        seeds = [name for name in rows[0] if name.startswith("seed ")]
        numbers = {name: float(number) for number, name in enumerate(classes)}
        read = numbers.__getitem__ if classes else float
        likely = [[float(row[_column(name)]) for name in classes] for row in rows]
        return Scored(
            ids=tuple(row["segment"] for row in rows),
            target=np.array([read(row["target"]) for row in rows]),
            by_seed=np.array([[read(row[seed]) for row in rows] for seed in seeds]),
            probabilities=np.array(likely) if classes else None,
        )
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise StoreError(
            f"{path}: not the predictions of a run on {on!r} ({error}); delete the run and train "
            "again"
        ) from error


def predict_seeds(
    *,
    folder: Path,
    seeds: Sequence[int],
    dataset: PackedDataset,
    ids: Sequence[str],
    device: str,
    task: RunTask | None = None,
) -> Predictions:
    """Predict with every seed of a run.

    Parameters
    ----------
    folder : Path
        The run's, with ``seed-<n>/model.safetensors``.
    seeds : sequence of int
        Which.
    dataset : PackedDataset
        The features.
    ids : sequence of str
        Utterances to predict.
    device : str
        ``cpu`` or ``cuda``.
    task : RunTask, optional
        What the run predicts; scores without it.

    Returns
    -------
    Predictions
        In the order of ``ids``.

    Raises
    ------
    StoreError
        If a checkpoint is damaged.
    DataError
        If the data set's columns are not those of the training, or an id is not in it.
    """
    index = dataset.positions(ids)
    by_seed, probabilities = {}, {}
    for seed in seeds:
        checkpoint = load_checkpoint(folder / f"seed-{seed}" / "model.safetensors")
        scores = predict_scores(
            model=checkpoint.model.to(device),
            normaliser=checkpoint.normaliser,
            dataset=place(checkpoint.fit(dataset), device=device),
            index=index,
        )
        values: Floats = scores.double().numpy()
        if values.ndim == 2:
            probabilities[seed] = softmax(values, axis=1)
            values = values.argmax(axis=1).astype(np.float64)
        by_seed[seed] = values
    return Predictions(
        ids=tuple(ids), by_seed=by_seed, probabilities=probabilities, task=task or RunTask()
    )
