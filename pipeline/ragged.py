"""One modality of all utterances, end to end, and what is taken out of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

#: Values that are looked at together when statistics are measured; 256 MiB in float64.
BLOCK_VALUES = 2**25


class Gathered(NamedTuple):
    """Measured rows of a batch, not padded yet: what is done to each row is not done to padding.

    Attributes
    ----------
    rows : Tensor of float32, shape (n, D)
        One utterance after the other.
    mask : Tensor of bool, shape (B, L)
        True where a row of the padded batch is one of them.
    places : Tensor of int64, shape (n,)
        Where these are in the flattened mask.
    """

    rows: Tensor
    mask: Tensor
    places: Tensor

    def padded(self, rows: Tensor) -> Tensor:
        """Put something into the place of each row.

        Parameters
        ----------
        rows : Tensor, shape (n, K)
            In the order of ``rows``.

        Returns
        -------
        Tensor, shape (B, L, K)
            0 where ``mask`` is False.
        """
        flat = rows.new_zeros(self.mask.numel(), rows.shape[1])
        return flat.index_copy_(0, self.places, rows).view(*self.mask.shape, rows.shape[1])


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

    def gather(self, index: Tensor) -> Gathered:
        """Take the measured rows of some utterances, without a loop over them.

        Parameters
        ----------
        index : Tensor of int64, shape (B,)
            Positions of utterances, on the device of ``offsets``.

        Returns
        -------
        Gathered
            Rows, and where they belong in a batch that is padded to the longest utterance.
        """
        starts, lengths = self._bounds(index)
        inside = inside_mask(lengths, longest=int(lengths.max()))
        rows, mask, places = self._measured(starts, inside)
        return Gathered(self.values.index_select(0, rows), mask, places)

    def take(self, rows: Tensor) -> Tensor:
        """Take some rows.

        Parameters
        ----------
        rows : Tensor of int64, shape (n,)
            Which, on the device of ``offsets``.

        Returns
        -------
        Tensor of float32, shape (n, D)
            On the device of ``offsets``.
        """
        return self.values[rows]

    def measured(self, index: Tensor) -> Iterator[Tensor]:
        """Go through the valid rows of some utterances, a bounded number at a time.

        Parameters
        ----------
        index : Tensor of int64, shape (n,)
            Positions of utterances, on the device of ``offsets``.

        Yields
        ------
        Tensor of float32, shape (k, D)
            Rows in the order in which they are stored, on the device of ``offsets``; once none, if
            there are none.
        """
        owner = torch.repeat_interleave(self.offsets.diff())
        rows = torch.nonzero(torch.isin(owner, index) & self.valid)[:, 0]
        for part in torch.split(rows, max(BLOCK_VALUES // max(len(self.names), 1), 1)):
            yield self.take(part)

    def _bounds(self, index: Tensor) -> tuple[Tensor, Tensor]:
        starts = self.offsets[index]
        return starts, self.offsets[index + 1] - starts

    def _measured(self, starts: Tensor, inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tell measured rows (n,), the mask (B, L) and their flat places in it (n,)."""
        if not len(self.valid):
            return starts.new_zeros(0), inside, starts.new_zeros(0)
        steps = torch.arange(inside.shape[1], device=inside.device)
        rows = torch.where(inside, starts[:, None] + steps, 0)
        mask = inside & self.valid[rows]
        places = torch.nonzero(mask.flatten())[:, 0]
        return rows.flatten()[places], mask, places


def inside_mask(lengths: Tensor, *, longest: int) -> Tensor:
    """Tell rows from padding.

    Parameters
    ----------
    lengths : Tensor of int64, shape (B,)
        Numbers of rows.
    longest : int
        Largest of them.

    Returns
    -------
    Tensor of bool, shape (B, L)
        True where there is a row; L is ``longest``, at least 1.
    """
    return torch.arange(max(longest, 1), device=lengths.device) < lengths[:, None]
