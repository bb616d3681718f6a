"""Unlabelled utterances in training: which there are, who brings them along, how they differ."""

import torch
from torch import Tensor

from pipeline.clip_names import clip_names
from pipeline.dataset import PackedDataset
from pipeline.errors import DataError
from pipeline.normalise import Normaliser, column_moments
from pipeline.splits import Split


def unlabelled_pool(*, dataset: PackedDataset, split: Split) -> Tensor:
    """Find the utterances without a label, none of a clip that validates, tests or is held.

    Parameters
    ----------
    dataset : PackedDataset
        The features.
    split : Split
        Of the data set.

    Returns
    -------
    Tensor of int64, shape (n,)
        Positions, on the data set's device, ascending.
    """
    device = dataset.labels.device
    held = {*clip_names(split.valid + split.test), *split.held}
    own = torch.tensor([clip not in held for clip in clip_names(dataset.ids)], device=device)
    return torch.nonzero(torch.isnan(dataset.labels) & own)[:, 0]


def unlabelled_ids(*, dataset: PackedDataset, split: Split, split_rate: int) -> tuple[str, ...]:
    """Name the unlabelled utterances that a training may learn from.

    Parameters
    ----------
    dataset, split
        As for :func:`unlabelled_pool`.
    split_rate : int
        How many a labelled one brings, >= 0.

    Returns
    -------
    tuple of str
        The pool; none for a ``split_rate`` of 0.
    """
    if not split_rate:
        return ()
    pool = unlabelled_pool(dataset=dataset, split=split).tolist()
    return tuple(dataset.ids[position] for position in pool)


def pair_unlabelled(*, labelled: Tensor, pool: Tensor, split_rate: int, utterances: int) -> Tensor:
    """Give each labelled utterance the unlabelled ones that it brings along into its batch.

    Of n labelled utterances the i-th brings those at ``i + k n`` of the pool, k = 0, 1, ..., which
    starts anew where it ends. The pairs are the same in every epoch.

    Parameters
    ----------
    labelled : Tensor of int64, shape (n,)
        Positions of the labelled utterances that are learned from.
    pool : Tensor of int64, shape (m,)
        Positions of the unlabelled ones; of no use, and possibly empty, for a ``split_rate`` of 0.
    split_rate : int
        How many each one brings, >= 0.
    utterances : int
        Size of the data set.

    Returns
    -------
    Tensor of int64, shape (utterances, split_rate)
        By the position of a labelled utterance; -1 for others.

    Raises
    ------
    DataError
        If there is nothing to bring.

    Notes
    -----
    MIRD, arXiv 2409.12408.
    """
    pairs = labelled.new_full((utterances, split_rate), -1)
    if not split_rate:
        return pairs
    if not len(pool):
        raise DataError(
            f"training: split_rate is {split_rate}, but all utterances have a label or are there "
            "to validate or test on; add videos without labels or set split_rate to 0"
        )
    n = len(labelled)
    ranks = torch.arange(n, device=labelled.device)[:, None]
    rounds = torch.arange(split_rate, device=labelled.device)
    pairs[labelled] = pool[(ranks + rounds * n) % len(pool)]
    return pairs


def domain_shift(
    *, dataset: PackedDataset, pool: Tensor, normaliser: Normaliser
) -> dict[str, float]:
    """Measure how far unlabelled utterances are from the labelled ones that are learned from.

    Parameters
    ----------
    dataset : PackedDataset
        The features.
    pool : Tensor of int64, shape (m,)
        Positions of the unlabelled utterances.
    normaliser : Normaliser
        Statistics of the labelled ones.

    Returns
    -------
    dict of str to float
        Modality to the mean, over features, of the distance of the two means in standard deviations
        of the labelled ones; a modality that the pool does not have is an absent key.
    """
    shifts = {}
    for name, ragged in dataset.modalities.items():
        blocks = (normaliser.apply(name, rows) for rows in ragged.measured(pool))
        moments = column_moments(blocks)
        if moments.rows:
            shifts[name] = float(moments.mean.abs().mean())
    return shifts
