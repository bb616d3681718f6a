"""Metrics that single collections or papers have besides the usual ones."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from pipeline.category_metrics import category_scoring
from pipeline.metrics import SENTIMENT
from pipeline.score_summary import SeedScores, score_seeds
from pipeline.score_totals import Floats
from pipeline.sims_metrics import SIMS

#: Name to what it is, as a page says it.
COLLECTION_METRICS = {
    "two_classes": "Two classes, as of UR-FUNNY: labels are 0 and 1. F1, precision and recall are "
    "unweighted means over the classes; the metrics above mean nothing here.",
    "classes": "Classes, as of MIntRec: labels are their numbers. F1, precision and recall are "
    "unweighted means over the classes, but for the weighted F1; the metrics above mean nothing "
    "here.",
    "sims": "As MMSA scores CH-SIMS, whose labels are -1 to 1: classes are [-1, 0] and (0, 1]; "
    "divided at ±0.1; divided at ±0.1 and ±0.7. F1 is weighted.",
    "nonzero": "As the code of MIRD: utterances with a target of 0 are left out of everything.",
}


def collection_scores(
    *,
    predictions: npt.ArrayLike,
    target: npt.ArrayLike,
    clips: Sequence[str],
    labels: npt.ArrayLike,
    log_odds: bool,
    classes: int = 0,
) -> dict[str, dict[str, SeedScores]]:
    """Score by those metrics that fit the labels.

    Parameters
    ----------
    predictions : array_like, shape (s, n)
        Scores of s seeds, finite.
    target : array_like, shape (n,)
        True ones, finite.
    clips : sequence of str, length n
        Which clip each utterance is of.
    labels : array_like, shape (k,)
        All labels of the data set, finite: they tell what collection it is like.
    log_odds : bool
        Whether scores are log odds of the second of two classes; otherwise what is above 0.5 is
        taken for it.
    classes : int
        How many classes scores and labels are the numbers of; 0 where they are none.

    Returns
    -------
    dict of str to dict of str to SeedScores
        Some of :data:`COLLECTION_METRICS` to metric to scores. Classes exclude the others.

    Raises
    ------
    DataError
        If there are no utterances, shapes differ, or a value is not finite.
    """
    p, y = np.atleast_2d(np.asarray(predictions, np.float64)), np.asarray(target, np.float64)
    known = np.asarray(labels, np.float64)
    score = partial(score_seeds, clips=clips)
    if classes:
        return {"classes": score(predictions=p, target=y, scoring=category_scoring(classes))}
    if set(np.unique(known)) == {0.0, 1.0}:
        second: Floats = (p > (0.0 if log_odds else 0.5)).astype(np.float64)
        return {"two_classes": score(predictions=second, target=y, scoring=category_scoring(2))}
    found = {}
    if len(known) and np.abs(known).max() <= 1:
        found["sims"] = score(predictions=p, target=y, scoring=SIMS)
    rows = np.flatnonzero(y)
    if len(rows):
        found["nonzero"] = score_seeds(
            predictions=p[:, rows],
            target=y[rows],
            clips=[clips[row] for row in rows.tolist()],
            scoring=SENTIMENT,
        )
    return found
