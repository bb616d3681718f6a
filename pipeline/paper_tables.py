"""Figures of published tables, to stand beside our own.

They are kept in ``paper_tables.tsv`` as they were published: accuracies and F1 in percent, errors
and correlations as numbers. The features, splits, seeds and the selection of checkpoints behind
them differ between papers and from ours; they are landmarks, not measurements of this software.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).parent / "paper_tables.tsv"


@dataclass(frozen=True, kw_only=True)
class PublishedScore:
    """One figure.

    Parameters
    ----------
    source : str
        Paper or file that it was read from.
    dataset : str
        ``CMU-MOSI``, ``CMU-MOSEI``, ``CH-SIMS``, ``UR-FUNNY`` or ``MIntRec``.
    model : str
        As it is called there.
    variant : str
        Row of a table of ablations, such as ``w/o visual``; empty elsewhere.
    metric : str
        ``MAE``, ``Corr``, ``Acc``, ``Acc2``, ``Acc3``, ``Acc5``, ``Acc7``, ``F1``, ``Precision`` or
        ``Recall``; with ``_has0`` or ``_non0`` where the source tells the convention.
    text : str
        The figure as printed.
    """

    source: str
    dataset: str
    model: str
    variant: str
    metric: str
    text: str

    @property
    def value(self) -> float:
        """The figure in the units of our metrics: shares from 0 to 1 instead of percent."""
        number = float(self.text)
        return number if self.metric in ("MAE", "Corr") else number / 100


@cache
def published_scores() -> tuple[PublishedScore, ...]:
    """Read all published figures.

    Returns
    -------
    tuple of PublishedScore
        In the order of the sources' tables.
    """
    with _FILE.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple(PublishedScore(**row) for row in rows)
