"""Utterances packed for training: ragged arrays in one file, batches by gathering."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from extractors.sequence import FeatureSequence
from models.batch import MODALITIES, Batch, PaddedSequence
from pipeline.atomic import write_bytes
from pipeline.errors import DataError, StoreError
from pipeline.normalise import Normaliser

#: Text of these columns is word pieces of a vocabulary, not features.
TOKEN_COLUMNS = ("token_id",)


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Ragged:
    """One modality of all utterances, end to end.

    Parameters
    ----------
    values : Tensor of float32, shape (sum of T, D)
        Rows of all utterances.
    valid : Tensor of bool, shape (sum of T,)
        False where a row is no measurement.
    offsets : Tensor of int64, shape (N + 1,)
        Utterance ``i`` has rows ``offsets[i]`` to ``offsets[i + 1]``.
    names : tuple of str, length D
        Column names.
    """

    values: Tensor
    valid: Tensor
    offsets: Tensor
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedDataset:
    """All utterances of a data set, on one device.

    Parameters
    ----------
    modalities : dict of str to Ragged
        Modality to its rows; a modality that no utterance has is an absent key.
    labels : Tensor of float32, shape (N,)
        Sentiment, NaN where unlabelled.
    ids : tuple of str, length N
        Segment ids; an utterance's position here is its ``Batch.index``.
    digest : str
        Of what the data set was packed from.
    """

    modalities: dict[str, Ragged]
    labels: Tensor
    ids: tuple[str, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dimensions(self) -> dict[str, int]:
        """Modality to feature width."""
        return {name: ragged.values.shape[1] for name, ragged in self.modalities.items()}

    @property
    def lengths(self) -> Tensor:
        """Rows of each utterance, float32 (N,), as a sum of shares of each modality's longest."""
        rows = [ragged.offsets.diff() for ragged in self.modalities.values()]
        return torch.stack([one / one.max().clamp(min=1) for one in rows]).sum(dim=0)

    def positions(self, ids: Sequence[str]) -> Tensor:
        """Look positions up.

        Parameters
        ----------
        ids : sequence of str
            Segment ids.

        Returns
        -------
        Tensor of int64, shape (len(ids),)
            Where they are.

        Raises
        ------
        DataError
            If an id is not in the data set.
        """
        known = {name: position for position, name in enumerate(self.ids)}
        unknown = [name for name in ids if name not in known]
        if unknown:
            raise DataError(
                f"{len(unknown)} of {len(ids)} segments are not in the data set of "
                f"{len(self)} utterances, first: {unknown[0]!r}; pack it again"
            )
        return torch.tensor([known[name] for name in ids], dtype=torch.int64)

    def to(self, device: torch.device | str) -> Self:
        """Move to a device in one copy a tensor.

        Parameters
        ----------
        device : torch.device or str
            Where to.

        Returns
        -------
        PackedDataset
            The same data there.
        """
        moved = {
            name: Ragged(
                values=ragged.values.to(device),
                valid=ragged.valid.to(device),
                offsets=ragged.offsets.to(device),
                names=ragged.names,
            )
            for name, ragged in self.modalities.items()
        }
        return type(self)(
            modalities=moved, labels=self.labels.to(device), ids=self.ids, digest=self.digest
        )

    def select(self, names: Mapping[str, tuple[str, ...]]) -> Self:
        """Keep some modalities; one that is not there becomes one that no utterance has.

        Parameters
        ----------
        names : mapping of str to tuple of str
            Modality to column names, which are used only where the modality is not there.

        Returns
        -------
        PackedDataset
            With exactly these modalities, in the order of ``MODALITIES``.
        """
        chosen = {
            name: self.modalities.get(name) or self._missing(names[name])
            for name in MODALITIES
            if name in names
        }
        return type(self)(modalities=chosen, labels=self.labels, ids=self.ids, digest=self.digest)

    def _missing(self, names: tuple[str, ...]) -> Ragged:
        device = self.labels.device
        return Ragged(
            values=torch.zeros(0, len(names), device=device),
            valid=torch.zeros(0, dtype=torch.bool, device=device),
            offsets=torch.zeros(len(self) + 1, dtype=torch.int64, device=device),
            names=names,
        )

    def batch(self, index: Tensor, normaliser: Normaliser) -> Batch:
        """Gather some utterances, standardised and padded to the longest.

        Text of the one column ``token_id`` becomes ``Batch.token_ids`` instead of a sequence.

        Parameters
        ----------
        index : Tensor of int64, shape (B,)
            Positions, on the data set's device.
        normaliser : Normaliser
            Statistics of the training split.

        Returns
        -------
        Batch
            On the data set's device.
        """
        labels = self.labels[index]
        has_target = ~torch.isnan(labels)
        text = self.modalities.get("text")
        is_tokens = text is not None and text.names == TOKEN_COLUMNS
        return Batch(
            sequences={
                name: _gather(ragged, index, name, normaliser)
                for name, ragged in self.modalities.items()
                if not (is_tokens and name == "text")
            },
            token_ids=_gather_tokens(text, index) if text is not None and is_tokens else None,
            target=torch.where(has_target, labels, 0.0),
            has_target=has_target,
            index=index,
        )

    def save(self, path: Path) -> None:
        """Write the data set as one safetensors file, atomically.

        Parameters
        ----------
        path : Path
            Where to.
        """
        tensors = {"labels": self.labels.contiguous()}
        names = {}
        for modality, ragged in self.modalities.items():
            names[modality] = ragged.names
            for field in ("values", "valid", "offsets"):
                tensors[f"{modality}/{field}"] = getattr(ragged, field).contiguous()
        header = {"ids": self.ids, "names": names, "digest": self.digest}
        write_bytes(path, save(tensors, metadata={"winnow": json.dumps(header)}))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a data set, memory-mapped.

        Parameters
        ----------
        path : Path
            What :meth:`save` wrote.

        Returns
        -------
        PackedDataset
            On the CPU.

        Raises
        ------
        StoreError
            If the file is damaged or something else.
        """
        try:
            with safe_open(path, framework="pt") as stored:
                header: dict[str, Any] = json.loads((stored.metadata() or {})["winnow"])
                modalities = {
                    modality: Ragged(
                        values=stored.get_tensor(f"{modality}/values"),
                        valid=stored.get_tensor(f"{modality}/valid"),
                        offsets=stored.get_tensor(f"{modality}/offsets"),
                        names=tuple(names),
                    )
                    for modality, names in header["names"].items()
                }
                labels = stored.get_tensor("labels")
                ids, digest = tuple(header["ids"]), header["digest"]
        except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
            raise StoreError(
                f"{path}: not a packed data set ({error}); delete it and train again"
            ) from error
        return cls(modalities=modalities, labels=labels, ids=ids, digest=digest)

    @classmethod
    def pack(cls, examples: Sequence[Example], digest: str) -> Self:
        """Lay utterances end to end.

        Parameters
        ----------
        examples : sequence of Example
            N utterances, in the order that their positions shall have.
        digest : str
            Of what they were made from.

        Returns
        -------
        PackedDataset
            On the CPU.

        Raises
        ------
        DataError
            If there are no utterances, two share an id, or columns differ between utterances.
        """
        ids = tuple(example.id for example in examples)
        if not ids:
            raise DataError("there are no utterances to pack; ingest videos with speech first")
        if len(set(ids)) != len(ids):
            twice = next(name for name in ids if ids.count(name) > 1)
            raise DataError(f"two utterances have the id {twice!r}")
        present = [m for m in MODALITIES if any(m in example.features for example in examples)]
        labels = [np.nan if example.label is None else example.label for example in examples]
        return cls(
            modalities={modality: _pack_modality(examples, modality) for modality in present},
            labels=torch.tensor(labels, dtype=torch.float32),
            ids=ids,
            digest=digest,
        )


def _pack_modality(examples: Sequence[Example], modality: str) -> Ragged:
    first = next(e.features[modality] for e in examples if modality in e.features)
    absent = FeatureSequence.empty(first.names)
    sequences = [example.features.get(modality, absent) for example in examples]
    for example, sequence in zip(examples, sequences, strict=True):
        if sequence.names != first.names:
            raise DataError(
                f"{modality} of utterance {example.id!r} has {len(sequence.names)} columns, "
                f"others have {len(first.names)}, or in another order; extract all clips with the "
                "same settings"
            )
    lengths = [len(sequence) for sequence in sequences]
    return Ragged(
        values=torch.from_numpy(np.concatenate([sequence.values for sequence in sequences])),
        valid=torch.from_numpy(np.concatenate([sequence.valid for sequence in sequences])),
        offsets=torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)),
        names=first.names,
    )


def _gather(ragged: Ragged, index: Tensor, modality: str, normaliser: Normaliser) -> PaddedSequence:
    """Take the rows of some utterances, standardised."""
    raw, mask = _gather_rows(ragged, index)
    return PaddedSequence(values=normaliser.apply(modality, raw) * mask[..., None], mask=mask)


def _gather_tokens(ragged: Ragged, index: Tensor) -> Tensor:
    """Take the word pieces of some utterances, 0 where padded."""
    raw, mask = _gather_rows(ragged, index)
    return torch.where(mask, raw[..., 0].long(), 0)


def _gather_rows(ragged: Ragged, index: Tensor) -> tuple[Tensor, Tensor]:
    """Take rows (B, L, D) and whether they are measured (B, L), without a loop over utterances."""
    starts, ends = ragged.offsets[index], ragged.offsets[index + 1]
    longest = max(int((ends - starts).max()), 1)
    steps = torch.arange(longest, device=index.device)
    inside = steps < (ends - starts)[:, None]
    if len(ragged.values) == 0:
        return ragged.values.new_zeros(len(index), longest, ragged.values.shape[1]), inside
    rows = torch.where(inside, starts[:, None] + steps, 0)
    return ragged.values[rows], inside & ragged.valid[rows]
