"""Which utterances go through the model together."""

import torch
from torch import Tensor


def make_batches(
    *,
    index: Tensor,
    batch_size: int,
    min_batch: int,
    seed: int,
    lengths: Tensor | None = None,
    sorted_batches: int = 1,
) -> list[Tensor]:
    """Shuffle and divide.

    Parameters
    ----------
    index : Tensor of int64, shape (n,)
        Positions.
    batch_size : int
        Size of all batches but the last.
    min_batch : int
        A last batch smaller than this joins the one before, if there is one.
    seed : int
        Of the order.
    lengths : Tensor, shape (N,), optional
        How long the utterances of all positions are.
    sorted_batches : int
        Batches in a row, >= 1, whose utterances are sorted by length among themselves; the batches
        are then shuffled. With 1, or without lengths, none are.

    Returns
    -------
    list of Tensor
        Every position once.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = index[torch.randperm(len(index), generator=generator).to(index.device)]
    bucketed = lengths is not None and sorted_batches > 1
    if lengths is not None and bucketed:
        windows = torch.split(shuffled, batch_size * sorted_batches)
        shuffled = torch.cat([one[lengths[one].argsort(stable=True)] for one in windows])
    batches = list(torch.split(shuffled, batch_size))
    if len(batches) > 1 and len(batches[-1]) < min_batch:
        batches[-2:] = [torch.cat(batches[-2:])]
    if bucketed:
        batches = [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
    return batches
