"""What the seeds of a run say of utterances, how sure they are, and what moved them."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.batch import MODALITIES
from pipeline.bootstrap import Interval
from pipeline.clip_names import clip_names
from pipeline.dataset import PackedDataset
from pipeline.modality_contributions import Coalitions, Floats, shapley_values
from pipeline.prediction_intervals import conformal_set, seed_interval
from pipeline.prediction_records import UtterancePrediction
from pipeline.records import LABEL_RANGE, Segment
from pipeline.run_task import RunTask


@dataclass(frozen=True, kw_only=True, eq=False)
class UtterancePredictor:
    """What the seeds say of all subsets of modalities, and what follows from it.

    Parameters
    ----------
    task : RunTask
        What the run predicts.
    by_seed : sequence of Coalitions
        What :func:`~pipeline.modality_contributions.predict_coalitions` returns.
    radius : float
        The :func:`~pipeline.prediction_intervals.conformal_radius` of the validation split.
    level : float
        Probability of the intervals.
    seen : frozenset of str
        Names of the clips that the run depends on.
    """

    task: RunTask
    by_seed: Sequence[Coalitions]
    radius: float
    level: float
    seen: frozenset[str]

    def utterances(
        self, dataset: PackedDataset, segments: Sequence[Segment]
    ) -> dict[str, UtterancePrediction]:
        """Put together what there is to say.

        Parameters
        ----------
        dataset : PackedDataset
            What was predicted.
        segments : sequence of Segment
            At least its utterances.

        Returns
        -------
        dict of str to UtterancePrediction
            By segment id.
        """
        classes, by_seed = self._classes()
        everything = max(by_seed[0], key=len)
        scores = np.stack([values[everything] for values in by_seed])
        nothing = np.stack([values[frozenset()] for values in by_seed]).mean(axis=0)
        shares = [shapley_values(values) for values in by_seed]
        between = self._between(scores)
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
                **classes[row],
                **self._score(scores[:, row]),
                seed_interval=None if between is None else _ends(between[0][row], between[1][row]),
                modalities=tuple(m for m in parts if m in there and bool(there[m][row])),
                contributions={m: float(part.mean()) for m, part in parts.items()},
                contribution_sd={m: _sd(part) for m, part in parts.items()},
                without_all=float(nothing[row]),
                seen=clip_names([name])[0] in self.seen,
            )
        return found

    def _classes(self) -> tuple[list[dict[str, Any]], Sequence[Coalitions]]:
        """Name each row's classes, and take the probability of the predicted one for its score."""
        everything = max(self.by_seed[0], key=len)
        rows = np.arange(len(self.by_seed[0][everything]))
        if not self.task.classes:
            none: dict[str, Any] = {
                "predicted_class": None,
                "class_probabilities": {},
                "class_set": None,
            }
            return [none] * len(rows), self.by_seed
        likely = [{kept: self._probabilities(v) for kept, v in one.items()} for one in self.by_seed]
        mean = np.stack([one[everything] for one in likely]).mean(axis=0)
        number = mean.argmax(axis=1)
        inside = conformal_set(probabilities=mean, radius=self.radius)
        known = math.isfinite(self.radius)
        named = [self._named(mean[row], inside[row] if known else None) for row in rows]
        return named, [{kept: v[rows, number] for kept, v in one.items()} for one in likely]

    def _probabilities(self, values: Floats) -> Floats:
        return values if self.task.numbered else self.task.probabilities(values)

    def _named(self, likely: Floats, inside: Any) -> dict[str, Any]:
        names = self.task.classes
        order = np.argsort(-likely, kind="stable")
        return {
            "predicted_class": names[order[0]],
            "class_probabilities": dict(zip(names, likely.tolist(), strict=True)),
            "class_set": None if inside is None else tuple(names[i] for i in order if inside[i]),
        }

    def _between(self, scores: Floats) -> tuple[Floats, Floats] | None:
        found = seed_interval(by_seed=scores, level=self.level)
        if found is None or not self.task.classes:
            return found
        low, high = (np.clip(end, 0, 1) for end in found)
        return low, high

    def _score(self, by_seed: Floats) -> dict[str, Any]:
        mean = float(by_seed.mean())
        interval = None
        if not self.task.classes and np.isfinite(self.radius):
            interval = _ends(*np.clip([mean - self.radius, mean + self.radius], *LABEL_RANGE))
        return {
            "prediction": mean,
            "sd": _sd(by_seed),
            "by_seed": tuple(by_seed.tolist()),
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
