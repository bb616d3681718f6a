"""An utterance of a foreign data set, with whatever that data set tells about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from extractors.sequence import FeatureSequence, Seconds
from extractors.words import Word
from pipeline.examples import Example

#: What a feature file may claim at most as its width.
WIDEST = 100_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Utterance:
    """One utterance, labelled or not, with features or without.

    Parameters
    ----------
    video : str
        The video's name.
    clip : str
        The utterance's name or number within the video; empty where a video is one utterance.
    split : str or None
        ``train``, ``valid`` or ``test``; None if the data set does not tell.
    label : float or None
        Sentiment, or 0 and 1 for humour; None if unlabelled.
    modality_labels : mapping of str to float
        Labels of single modalities (CH-SIMS): ``text``, ``audio``, ``vision``.
    category : str
        The class's name (MIntRec's intents), otherwise empty.
    text : str
        What is said, possibly empty.
    words : tuple of Word
        What is said with times, seconds from the start of the video; possibly empty.
    start, end : Seconds or None
        Span in the video; None if the data set does not tell, and then the rows' times are their
        numbers.
    features : mapping of str to FeatureSequence
        Modality to rows; a missing modality is an absent key.
    tokens : ndarray of int64, shape (3, T), or None
        BERT's token ids, attention mask and token types.
    """

    video: str
    clip: str = ""
    split: str | None = None
    label: float | None = None
    modality_labels: Mapping[str, float] = field(default_factory=dict)
    category: str = ""
    text: str = ""
    words: tuple[Word, ...] = ()
    start: Seconds | None = None
    end: Seconds | None = None
    features: Mapping[str, FeatureSequence] = field(default_factory=dict)
    tokens: npt.NDArray[np.int64] | None = None

    @property
    def id(self) -> str:
        """Video and clip, written as MMSA does."""
        return f"{self.video}$_${self.clip}" if self.clip else self.video

    @property
    def example(self) -> Example:
        """What training needs of it."""
        return Example(id=self.id, label=self.label, features=self.features)


def rows_of(values: Any, *, modality: str, times: Any = None) -> FeatureSequence:
    """Make a sequence of a foreign data set's rows.

    What is not finite becomes 0, as MMSA does it; a row of nothing but 0 is no measurement.

    Parameters
    ----------
    values : array_like of numbers, shape (T, D)
        The rows.
    modality : str
        Names the columns: ``<modality>_0`` and so on.
    times : array_like, shape (T, 2), optional
        Span of every row in seconds; without it rows are counted.

    Returns
    -------
    FeatureSequence
        Sorted by time.

    Raises
    ------
    ValueError
        If it is no table of numbers; the message tells the shape.
    """
    table = np.asarray(values)
    if table.ndim != 2 or table.dtype.kind not in "fiub" or table.shape[1] > WIDEST:
        raise ValueError(f"shape {table.shape} of {table.dtype} is no table of numbers (T, D)")
    with np.errstate(over="ignore"):
        numbers = np.nan_to_num(
            table.astype(np.float32), copy=False, nan=0.0, posinf=0.0, neginf=0.0
        )
    names = tuple(f"{modality}_{column}" for column in range(table.shape[1]))
    return FeatureSequence(
        values=numbers,
        times=counted(len(table)) if times is None else np.asarray(times, np.float64),
        names=names,
        valid=(numbers != 0).any(axis=1),
    )


def counted(rows: int) -> npt.NDArray[np.float64]:
    """Give rows without times their numbers instead.

    Parameters
    ----------
    rows : int
        How many.

    Returns
    -------
    ndarray of float64, shape (rows, 2)
        ``[[0, 1], [1, 2], ...]``.
    """
    numbers = np.arange(rows, dtype=np.float64)
    return np.stack([numbers, numbers + 1], axis=1)
