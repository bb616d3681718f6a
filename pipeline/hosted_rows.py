"""Rows that stay on the host and are sent to the device a batch at a time."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.ragged import Gathered, Ragged, inside_mask


class Staged(NamedTuple):
    """Rows of some utterances, fetched before they are asked for.

    Attributes
    ----------
    positions : Tensor of int64, shape (B,)
        Which utterances, as they will be asked for.
    rows : Tensor of float32, shape (sum of T, D)
        Their rows, on the host.
    longest : int
        Of their numbers of rows.
    """

    positions: Tensor
    rows: Tensor
    longest: int


@dataclass(frozen=True, kw_only=True, eq=False)
class HostedRagged(Ragged):
    """One modality whose values stay where they are, which may be a memory-mapped file.

    ``values`` are on the host, ``valid`` and ``offsets`` on the device. Only rows of the utterances
    asked for are read and sent. What comes out is what a
    :class:`Ragged` on the device gives.

    Parameters
    ----------
    host_offsets : Tensor of int64, shape (N + 1,)
        ``offsets`` on the host.
    """

    host_offsets: Tensor
    _staged: list[Staged] = field(default_factory=list, repr=False)

    def gather(self, index: Tensor) -> Gathered:
        """Take the measured rows; see :meth:`pipeline.ragged.Ragged.gather`."""
        staged = self._staged.pop() if self._staged else None
        if staged is None or not _same(staged.positions, index):
            staged = self.fetch(index, index.cpu())
        sent = self._send(staged.rows)
        starts, lengths = self._bounds(index)
        rows, mask, places = self._measured(starts, inside_mask(lengths, longest=staged.longest))
        # from rows of the data set to rows of what was sent, where utterances lie end to end
        shifts = lengths.cumsum(0) - lengths - starts
        owners = places // mask.shape[1]
        return Gathered(sent.index_select(0, rows + shifts[owners]), mask, places)

    def take(self, rows: Tensor) -> Tensor:
        """Take some rows; see :meth:`pipeline.ragged.Ragged.take`."""
        return self._send(self.values[rows.cpu()])

    def fetch(self, index: Tensor, on_host: Tensor) -> Staged:
        """Read the rows of some utterances.

        Parameters
        ----------
        index : Tensor of int64, shape (B,)
            Positions of utterances, as they will be asked for.
        on_host : Tensor of int64, shape (B,)
            The same on the host.

        Returns
        -------
        Staged
            What was read, in memory that can be sent while the device computes.
        """
        starts, ends = self.host_offsets[on_host], self.host_offsets[on_host + 1]
        lengths = ends - starts
        rows = torch.empty(
            int(lengths.sum()),
            self.values.shape[1],
            dtype=self.values.dtype,
            pin_memory=self.offsets.is_cuda,
        )
        parts = [self.values[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        torch.cat(parts, out=rows)
        return Staged(index, rows, int(lengths.max()))

    def stage(self, staged: Staged) -> None:
        """Keep what was read until it is asked for.

        Parameters
        ----------
        staged : Staged
            It takes the place of what was kept before.
        """
        self._staged[:] = [staged]

    def _send(self, rows: Tensor) -> Tensor:
        return rows.to(self.offsets.device, non_blocking=True)


def ahead(modalities: Mapping[str, Ragged], parts: Sequence[Tensor]) -> Iterator[Tensor]:
    """Go through batches while the rows of the next one are read.

    Parameters
    ----------
    modalities : mapping of str to Ragged
        Those that are on the device are left alone.
    parts : sequence of Tensor of int64
        Positions of the utterances of each batch.

    Yields
    ------
    Tensor of int64
        Each of ``parts``; its rows are there when it is gathered.
    """
    waiting = [ragged for ragged in modalities.values() if isinstance(ragged, HostedRagged)]
    if not waiting or not parts:
        yield from parts
        return
    # one transfer for all of them: each would wait for all that the device has to do
    on_host = torch.split(torch.cat(list(parts)).cpu(), [len(part) for part in parts])
    with ThreadPoolExecutor(1) as pool:

        def start(number: int) -> list[Future[Staged]]:
            return [pool.submit(one.fetch, parts[number], on_host[number]) for one in waiting]

        upcoming = start(0)
        for number, part in enumerate(parts):
            for ragged, future in zip(waiting, upcoming, strict=True):
                ragged.stage(future.result())
            if number + 1 < len(parts):
                upcoming = start(number + 1)
            yield part


def _same(one: Tensor, other: Tensor) -> bool:
    return one is other or (one.shape == other.shape and torch.equal(one, other))
