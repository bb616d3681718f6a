"""What the seeds of a run predict."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.atomic import write_text
from pipeline.bootstrap import Interval, bootstrap_intervals
from pipeline.checkpoint import load_checkpoint
from pipeline.clip_names import clip_names
from pipeline.collection_metrics import collection_scores
from pipeline.dataset import PackedDataset
from pipeline.dataset_placement import place
from pipeline.errors import StoreError
from pipeline.evaluation import predict
from pipeline.score_summary import SeedScores
from pipeline.splits import SPLIT_NAMES, Split

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """Scores of n utterances by every seed.

    Parameters
    ----------
    ids : tuple of str, length n
        Segment ids.
    by_seed : dict of int to ndarray of float64, shape (n,)
        Seed to scores.
    """

    ids: tuple[str, ...]
    by_seed: dict[int, Floats]

    @property
    def mean(self) -> Floats:
        """Mean over the seeds, shape (n,)."""
        mean: Floats = np.stack(list(self.by_seed.values())).mean(axis=0)
        return mean

    @property
    def sd(self) -> Floats:
        """Standard deviation over the seeds, n - 1 in the denominator, shape (n,); NaN for one."""
        if len(self.by_seed) == 1:
            return np.full(len(self.ids), np.nan)
        sd: Floats = np.stack(list(self.by_seed.values())).std(axis=0, ddof=1)
        return sd

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
            Metric to that of the seeds' mean prediction.
        """
        rows, target = self.targets(dataset, ids)
        clips = clip_names([self.ids[row] for row in rows])
        seeds = np.stack(list(self.by_seed.values()))[:, rows]
        of_seeds, of_mean = (
            bootstrap_intervals(predictions=scores, target=target, clips=clips)
            for scores in (seeds, self.mean[rows])
        )
        return of_seeds, of_mean

    def collection_scores(
        self, dataset: PackedDataset, ids: Sequence[str], *, log_odds: bool, classes: int = 0
    ) -> dict[str, dict[str, SeedScores]]:
        """Score as single collections do, see :mod:`pipeline.collection_metrics`.

        Parameters
        ----------
        dataset : PackedDataset
            With their labels.
        ids : sequence of str
            Segment ids, all predicted; the labelled ones count.
        log_odds : bool
            Whether the scores are log odds of the second of two classes.
        classes : int
            How many classes labels and scores are the numbers of; 0 where they are none.

        Returns
        -------
        dict of str to dict of str to SeedScores
            Those that fit the data set's labels.
        """
        rows, target = self.targets(dataset, ids)
        labels = dataset.labels.double().cpu().numpy()
        return collection_scores(
            predictions=np.stack(list(self.by_seed.values()))[:, rows],
            target=target,
            clips=clip_names([self.ids[row] for row in rows]),
            labels=labels[np.isfinite(labels)],
            log_odds=log_odds,
            classes=classes,
        )

    def save(self, path: Path, *, dataset: PackedDataset, split: Split) -> None:
        """Write as CSV, atomically: segment, split, target, each seed, mean.

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
        seeds = [f"seed {seed}" for seed in self.by_seed]
        writer.writerow(["segment", "split", "target", *seeds, "mean"])
        columns = zip(*self.by_seed.values(), self.mean, strict=True)
        for name, label, values in zip(self.ids, labels, columns, strict=True):
            target = "" if np.isnan(label) else f"{label:.6g}"
            writer.writerow([name, place[name], target, *(f"{value:.6g}" for value in values)])
        write_text(path, stream.getvalue())


class Scored(NamedTuple):
    """What was predicted for n labelled utterances.

    Attributes
    ----------
    ids : tuple of str, length n
        Segment ids.
    target : ndarray of float64, shape (n,)
        Labels.
    by_seed : ndarray of float64, shape (seeds, n)
        Scores.
    """

    ids: tuple[str, ...]
    target: Floats
    by_seed: Floats


def read_predictions(path: Path, *, on: str) -> Scored:
    """Read what :meth:`Predictions.save` wrote of a split's labelled utterances.

    Parameters
    ----------
    path : Path
        A run's ``predictions.csv``.
    on : {"train", "valid", "test"}
        Which split.

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
        return Scored(
            ids=tuple(row["segment"] for row in rows),
            target=np.array([float(row["target"]) for row in rows]),
            by_seed=np.array([[float(row[seed]) for row in rows] for seed in seeds]),
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
    by_seed = {}
    for seed in seeds:
        checkpoint = load_checkpoint(folder / f"seed-{seed}" / "model.safetensors")
        scores = predict(
            model=checkpoint.model.to(device),
            normaliser=checkpoint.normaliser,
            dataset=place(checkpoint.fit(dataset), device=device),
            index=index,
        )
        by_seed[seed] = scores.double().numpy()
    return Predictions(ids=tuple(ids), by_seed=by_seed)
