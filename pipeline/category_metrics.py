"""Metrics of classes without an order: UR-FUNNY's humour, MIntRec's intents."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from torch import Tensor

from pipeline.errors import DataError
from pipeline.metrics import Score, checked_pair
from pipeline.score_totals import Floats, Scoring, confusion_scores, confusion_summands

#: The fields that are scores, not counts, in the order of a table's columns.
CATEGORY_NAMES = ("accuracy", "f1", "f1_weighted", "precision", "recall")


@dataclass(frozen=True, kw_only=True)
class CategoryMetrics:
    """How well classes were predicted.

    Parameters
    ----------
    accuracy : float
        Share of utterances of the right class, 0 to 1; all that is reported of UR-FUNNY.
    f1, precision, recall : float
        Unweighted means over the classes that are true or predicted anywhere, 0 to 1; of a class
        that is never predicted the precision is 0, of one that is never true the recall.
    f1_weighted : float
        Mean of the classes' F1, weighted by how many are truly of each, 0 to 1.
    n : int
        Utterances.
    """

    accuracy: Score
    f1: Score
    precision: Score
    recall: Score
    f1_weighted: Score
    n: int


def category_metrics(
    *, predicted: npt.ArrayLike | Tensor, target: npt.ArrayLike | Tensor, classes: int
) -> CategoryMetrics:
    """Compare predicted classes with the true ones.

    Parameters
    ----------
    predicted, target : array_like or Tensor of integers, shape (n,)
        Class numbers, 0 to ``classes - 1``.
    classes : int
        How many there are, >= 2: 2 for UR-FUNNY, 20 for MIntRec.

    Returns
    -------
    CategoryMetrics
        Over all utterances.

    Raises
    ------
    DataError
        If there are no utterances, the shapes differ, or a number is no class.
    """
    p, y = checked_pair(predicted, target)
    return CategoryMetrics(**category_scoring(classes).score(p, y), n=len(y))


def category_scoring(classes: int) -> Scoring:
    """Describe the metrics of some number of classes.

    Parameters
    ----------
    classes : int
        How many, >= 2.

    Returns
    -------
    Scoring
        Of class numbers.
    """
    return Scoring(totals=partial(_totals, classes=classes), scores=_scores)


def _totals(predicted: Floats, target: Floats, *, classes: int) -> dict[str, Floats]:
    for what, values in (("predicted", predicted), ("true", target)):
        wrong = values[~np.isin(values, np.arange(classes))]
        if len(wrong):
            raise DataError(
                f"{len(wrong)} of {len(values)} {what} classes, first {wrong[0]:g}, are not among "
                f"0 to {classes - 1}"
            )
    confusion = confusion_summands(
        true=target.astype(np.int64), predicted=predicted.astype(np.int64), classes=classes
    )
    return {"confusion": confusion}


def _scores(sums: dict[str, Floats]) -> dict[str, Floats]:
    found = confusion_scores(sums["confusion"])
    return {
        "accuracy": found.accuracy,
        "f1": found.f1_macro,
        "precision": found.precision_macro,
        "recall": found.recall_macro,
        "f1_weighted": found.f1_weighted,
    }
