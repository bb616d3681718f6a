"""Generated text as word ids, for models whose text encoder reads those."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.batch import Batch
from pipeline.dataset import PackedDataset
from pipeline.normalise import Normaliser

#: Words of the codebook, and the id of the first: ids below are not words in BERT's vocabularies.
WORDS, FIRST_WORD = 512, 1000
_CHUNK = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenDataset(PackedDataset):
    """A data set with a word id for each row of text, which is not stored with it.

    Parameters
    ----------
    words : Tensor of int64, shape (sum of T,)
        Ids, as long as the rows of ``modalities["text"]``.
    """

    words: Tensor

    def to(self, device: torch.device | str) -> Self:
        """Move to a device; see :meth:`pipeline.dataset.PackedDataset.to`."""
        there = self._plain.to(device)
        return replace(
            self,
            modalities=there.modalities,
            labels=there.labels,
            words=self.words.to(device),
        )

    def select(self, names: Mapping[str, tuple[str, ...]]) -> Self:
        """Keep some modalities; see :meth:`pipeline.dataset.PackedDataset.select`."""
        return replace(self, modalities=self._plain.select(names).modalities)

    @property
    def _plain(self) -> PackedDataset:
        return PackedDataset(
            modalities=self.modalities, labels=self.labels, ids=self.ids, digest=self.digest
        )

    def batch(self, index: Tensor, normaliser: Normaliser) -> Batch:
        """Gather some utterances; see :meth:`pipeline.dataset.PackedDataset.batch`.

        Parameters
        ----------
        index : Tensor of int64, shape (B,)
            Positions.
        normaliser : Normaliser
            Statistics of the training split.

        Returns
        -------
        Batch
            With ``token_ids``, 0 where padded, unless text was left out.
        """
        gathered = super().batch(index, normaliser)
        if "text" not in gathered.sequences:
            return gathered
        mask = gathered.sequences["text"].mask
        starts = self.modalities["text"].offsets[index]
        rows = torch.where(
            mask, starts[:, None] + torch.arange(mask.shape[1], device=mask.device), 0
        )
        return replace(gathered, token_ids=torch.where(mask, self.words[rows], 0))


def nearest_word(
    *, frames: npt.NDArray[np.float32], codebook: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Quantise frames of text.

    Parameters
    ----------
    frames : ndarray of float32, shape (T, D)
        Observed text.
    codebook : ndarray of float32, shape (512, D)
        One frame a word.

    Returns
    -------
    ndarray of int64, shape (T,)
        ``1000 + k`` for the nearest word k in Euclidean distance.
    """
    squares = 0.5 * (codebook**2).sum(axis=1)
    chunks = [
        np.argmin(squares - frames[start : start + _CHUNK] @ codebook.T, axis=1)
        for start in range(0, len(frames), _CHUNK)
    ]
    return FIRST_WORD + np.concatenate([*chunks, np.zeros(0, np.int64)]).astype(np.int64)
