"""Utterances packed for training: ragged arrays in one file, batches by gathering."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from models.batch import MODALITIES, Batch, PaddedSequence
from pipeline.dataset_file import write_dataset
from pipeline.errors import DataError, StoreError
from pipeline.examples import Example, ExampleList, Laid
from pipeline.hosted_rows import ahead
from pipeline.normalise import Normaliser
from pipeline.ragged import Ragged

#: Text of these columns is word pieces of a vocabulary, not features.
TOKEN_COLUMNS = ("token_id",)


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

    @property
    def value_bytes(self) -> int:
        """What the values take, of which nearly all of a data set consists."""
        return sum(ragged.values.nbytes for ragged in self.modalities.values())

    def ahead(self, parts: Sequence[Tensor]) -> Iterator[Tensor]:
        """Go through batches; where values are on the host, the next one's are read meanwhile.

        Parameters
        ----------
        parts : sequence of Tensor of int64
            Positions, as :meth:`batch` will be asked for.

        Returns
        -------
        iterator of Tensor
            Each of ``parts``.
        """
        return ahead(self.modalities, parts)

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
        write_dataset(
            path,
            values={n: ragged.values.cpu().numpy() for n, ragged in self.modalities.items()},
            laid={
                name: Laid(ragged.valid.cpu().numpy(), ragged.offsets.cpu().numpy(), ragged.names)
                for name, ragged in self.modalities.items()
            },
            labels=self.labels.cpu().numpy(),
            ids=self.ids,
            digest=self.digest,
        )

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
    def pack(cls, examples: Iterable[Example], digest: str) -> Self:
        """Lay utterances end to end, in memory.

        :class:`pipeline.dataset_writer.DatasetWriter` does so in a file.

        Parameters
        ----------
        examples : iterable of Example
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
        taken, values = ExampleList(), dict[str, list[Any]]()
        for example in examples:
            for modality, sequence in taken.add(example).items():
                values.setdefault(modality, []).append(sequence.values)
        modalities = {
            modality: Ragged(
                values=torch.from_numpy(np.concatenate(values.pop(modality))),
                valid=torch.from_numpy(laid.valid),
                offsets=torch.from_numpy(laid.offsets),
                names=laid.names,
            )
            for modality, laid in taken.laid().items()
        }
        return cls(
            modalities=modalities,
            labels=torch.from_numpy(taken.labels),
            ids=tuple(taken.ids),
            digest=digest,
        )


def _gather(ragged: Ragged, index: Tensor, modality: str, normaliser: Normaliser) -> PaddedSequence:
    """Take the rows of some utterances, standardised."""
    found = ragged.gather(index)
    values = found.padded(normaliser.apply(modality, found.rows))
    return PaddedSequence(values=values, mask=found.mask)


def _gather_tokens(ragged: Ragged, index: Tensor) -> Tensor:
    """Take the word pieces of some utterances, 0 where padded."""
    found = ragged.gather(index)
    return found.padded(found.rows.long())[..., 0]
