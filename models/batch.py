"""What a model is given: padded sequences with masks, and targets that may be missing."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

# The modalities a model can be built for, in the order in which papers name them.
MODALITIES = ("text", "audio", "vision")


@dataclass(frozen=True, kw_only=True, eq=False)
class PaddedSequence:
    """One modality of a batch, right-padded.

    Parameters
    ----------
    values : Tensor of float, shape (B, L, D)
        Features; zeros where ``mask`` is False.
    mask : Tensor of bool, shape (B, L)
        True where there is a measurement. A row may be False throughout (the clip lacks the
        modality) and may have False steps inside (no face there).

    Raises
    ------
    ValueError
        If the shapes do not belong together or the mask is not bool.
    """

    values: Tensor
    mask: Tensor

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.mask.shape != self.values.shape[:2]:
            raise ValueError(
                f"values must be (B, L, D) and mask (B, L), got {tuple(self.values.shape)} and "
                f"{tuple(self.mask.shape)}"
            )
        if self.mask.dtype != torch.bool:
            raise ValueError(f"mask must be bool, got {self.mask.dtype}")

    def to(self, device: torch.device | str) -> "PaddedSequence":
        """Move to a device.

        Parameters
        ----------
        device : torch.device or str
            Where to.

        Returns
        -------
        PaddedSequence
            The same data there.
        """
        return PaddedSequence(values=self.values.to(device), mask=self.mask.to(device))


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """B utterances.

    Parameters
    ----------
    sequences : dict of str to PaddedSequence
        Modality to features, keys from :data:`MODALITIES`; a modality that no utterance of the
        data set has is an absent key.
    target : Tensor of float, shape (B,)
        Sentiment, -3 to 3; 0 where ``has_target`` is False.
    has_target : Tensor of bool, shape (B,)
        False for unlabelled utterances.
    index : Tensor of int64, shape (B,)
        Position in the data set, stable over epochs.
    token_ids : Tensor of int64, shape (B, L), optional
        Word-piece ids for a text encoder inside the model, 0 where padded.

    Raises
    ------
    ValueError
        If the parts disagree on B or a modality is unknown.
    """

    sequences: dict[str, PaddedSequence]
    target: Tensor
    has_target: Tensor
    index: Tensor
    token_ids: Tensor | None = None

    def __post_init__(self) -> None:
        unknown = sorted(set(self.sequences) - set(MODALITIES))
        if unknown:
            raise ValueError(f"unknown modalities {unknown}; there are {list(MODALITIES)}")
        sizes = {name: len(sequence.mask) for name, sequence in self.sequences.items()}
        sizes |= {"has_target": len(self.has_target), "index": len(self.index)}
        wrong = {name: size for name, size in sizes.items() if size != len(self.target)}
        if wrong:
            raise ValueError(f"target has {len(self.target)} rows, but {wrong}")

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: torch.device | str) -> "Batch":
        """Move to a device.

        Parameters
        ----------
        device : torch.device or str
            Where to.

        Returns
        -------
        Batch
            The same data there.
        """
        return replace(
            self,
            sequences={name: sequence.to(device) for name, sequence in self.sequences.items()},
            target=self.target.to(device),
            has_target=self.has_target.to(device),
            index=self.index.to(device),
            token_ids=None if self.token_ids is None else self.token_ids.to(device),
        )
