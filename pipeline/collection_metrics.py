"""Metrics that single collections or papers have besides the usual ones."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.metrics import SENTIMENT
from pipeline.score_summary import SeedScores, score_seeds
from pipeline.sims_metrics import SIMS

#: Name to what it is, as a page says it.
COLLECTION_METRICS = {
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

    Returns
    -------
    dict of str to dict of str to SeedScores
        Some of :data:`COLLECTION_METRICS` to metric to scores.

    Raises
    ------
    DataError
        If there are no utterances, shapes differ, or a value is not finite.
    """
    p, y = np.atleast_2d(np.asarray(predictions, np.float64)), np.asarray(target, np.float64)
    known = np.asarray(labels, np.float64)
    found = {}
    if len(known) and np.abs(known).max() <= 1:
        found["sims"] = score_seeds(predictions=p, target=y, clips=clips, scoring=SIMS)
    rows = np.flatnonzero(y)
    if len(rows):
        found["nonzero"] = score_seeds(
            predictions=p[:, rows],
            target=y[rows],
            clips=[clips[row] for row in rows.tolist()],
            scoring=SENTIMENT,
        )
    return found
