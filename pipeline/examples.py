"""Utterances on their way into a data set, and what is known of them when their values are not."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from extractors.sequence import FeatureSequence
from models.batch import MODALITIES
from pipeline.errors import DataError


class Example(NamedTuple):
    """One utterance on its way into a data set.

    Attributes
    ----------
    id : str
        The segment's id.
    label : float or None
        Sentiment, None if unlabelled.
    features : dict of str to FeatureSequence
        Modality to the rows of this utterance; a missing modality is an absent key.
    """

    id: str
    label: float | None
    features: Mapping[str, FeatureSequence]


class Laid(NamedTuple):
    """One modality of utterances that are laid end to end, without its values.

    Attributes
    ----------
    valid : ndarray of bool, shape (sum of T,)
        False where a row is no measurement.
    offsets : ndarray of int64, shape (N + 1,)
        Utterance ``i`` has rows ``offsets[i]`` to ``offsets[i + 1]``.
    names : tuple of str
        Column names.
    """

    valid: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int64]
    names: tuple[str, ...]


class ExampleList:
    """Everything about utterances but their values, which may be too many to keep.

    Attributes
    ----------
    ids : dict of str to None
        In the order in which they came.
    """

    def __init__(self) -> None:
        self.ids: dict[str, None] = {}
        self._labels: list[float] = []
        self._lengths: dict[str, dict[int, int]] = {}
        self._valid: dict[str, list[npt.NDArray[np.bool_]]] = {}
        self._names: dict[str, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, example: Example) -> dict[str, FeatureSequence]:
        """Take an utterance in.

        Parameters
        ----------
        example : Example
            The next one.

        Returns
        -------
        dict of str to FeatureSequence
            Modality to what is to be laid behind the utterances before.

        Raises
        ------
        DataError
            If its id was there before or its columns are not those of the others.
        """
        if example.id in self.ids:
            raise DataError(f"two utterances have the id {example.id!r}")
        found = {m: example.features[m] for m in MODALITIES if m in example.features}
        for modality, sequence in found.items():
            names = self._names.setdefault(modality, sequence.names)
            if sequence.names != names:
                raise DataError(
                    f"{modality} of utterance {example.id!r} has {len(sequence.names)} columns, "
                    f"others have {len(names)}, or in another order; extract all clips with the "
                    "same settings"
                )
            self._lengths.setdefault(modality, {})[len(self)] = len(sequence)
            self._valid.setdefault(modality, []).append(sequence.valid)
        self.ids[example.id] = None
        self._labels.append(np.nan if example.label is None else example.label)
        return found

    @property
    def labels(self) -> npt.NDArray[np.float32]:
        """Sentiment, NaN where unlabelled, shape (N,)."""
        return np.array(self._labels, np.float32)

    def laid(self) -> dict[str, Laid]:
        """Describe the modalities that there are.

        Returns
        -------
        dict of str to Laid
            In the order of ``MODALITIES``.

        Raises
        ------
        DataError
            If there are no utterances.
        """
        if not self.ids:
            raise DataError("there are no utterances to pack; ingest videos with speech first")
        return {m: self._describe(m) for m in MODALITIES if m in self._names}

    def _describe(self, modality: str) -> Laid:
        lengths: npt.NDArray[Any] = np.zeros(len(self) + 1, np.int64)
        for position, rows in self._lengths[modality].items():
            lengths[position + 1] = rows
        return Laid(np.concatenate(self._valid[modality]), lengths.cumsum(), self._names[modality])
