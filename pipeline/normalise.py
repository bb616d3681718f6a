"""Standardisation by the training split's statistics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

#: Standardised values are clipped to plus and minus this.
LIMIT = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Normaliser:
    """Mean and standard deviation of every feature over the valid rows of the training split.

    Statistics of the split, not of the clip: per-clip standardisation would silently remove
    whatever is constant in a clip, such as a speaker's pitch level.

    Parameters
    ----------
    mean, scale : dict of str to Tensor, shape (D,)
        Modality to statistics; ``scale`` is 1 where a feature does not vary.
    """

    mean: Mapping[str, Tensor]
    scale: Mapping[str, Tensor]

    @classmethod
    def fit(cls, rows: Mapping[str, Tensor]) -> "Normaliser":
        """Measure the statistics.

        Parameters
        ----------
        rows : mapping of str to Tensor, shape (T, D)
            Modality to the valid rows of the training split; ``T = 0`` is legal.

        Returns
        -------
        Normaliser
            In float32, computed in float64.
        """
        return cls.fit_blocks({modality: (values,) for modality, values in rows.items()})

    @classmethod
    def fit_blocks(cls, rows: Mapping[str, Iterable[Tensor]]) -> "Normaliser":
        """Measure the statistics of rows that come a block at a time.

        Parameters
        ----------
        rows : mapping of str to iterable of Tensor, shape (T, D)
            Modality to blocks of the valid rows of the training split, at least one block; it may
            have no rows.

        Returns
        -------
        Normaliser
            In float32, computed in float64. That of one block is :meth:`fit`'s; with several ones
            the last bit may differ.
        """
        mean, scale = {}, {}
        for modality, blocks in rows.items():
            _, centre, spread = column_moments(blocks)
            # relative to the values themselves, so that no unit makes a feature vanish
            varies = (spread > 1e-6 * centre.abs()) & (spread > torch.finfo(torch.float32).tiny)
            mean[modality] = centre.float()
            scale[modality] = torch.where(varies, spread, 1.0).float()
        return cls(mean=mean, scale=scale)

    def apply(self, modality: str, values: Tensor) -> Tensor:
        """Standardise and clip.

        Parameters
        ----------
        modality : str
            Whose statistics.
        values : Tensor, shape (..., D)
            Raw features.

        Returns
        -------
        Tensor
            Within plus and minus ``LIMIT``, not finite ones as 0.
        """
        mean = self.mean[modality].to(values.device)
        scale = self.scale[modality].to(values.device)
        # in place of the copy: new memory for every step costs more than the steps
        return _finite(values).sub_(mean).div_(scale).clamp_(-LIMIT, LIMIT)


class Moments(NamedTuple):
    """What is known of the columns of a table.

    Attributes
    ----------
    rows : int
        How many there are.
    mean, deviation : Tensor of float64, shape (D,)
        Mean and standard deviation of each column; 0 where there are no rows.
    """

    rows: int
    mean: Tensor
    deviation: Tensor


def column_moments(blocks: Iterable[Tensor]) -> Moments:
    """Measure mean and standard deviation of each column of a table.

    Parameters
    ----------
    blocks : iterable of Tensor, shape (T, D)
        The table's rows, a block at a time, at least one block; not finite ones count as 0.

    Returns
    -------
    Moments
        Merged from those of the blocks (Chan, Golub & LeVeque 1979, eq. 2.1).
    """
    found: Moments | None = None
    for block in blocks:
        exact = _finite(block).double()
        some = exact if len(exact) else exact.new_zeros(1, block.shape[1])
        one = Moments(len(exact), some.mean(0), some.std(0, correction=0))
        found = _merged(found, one) if found is not None and found.rows else one
    if found is None:
        raise ValueError("there must be at least one block, possibly without rows")
    return found


def _merged(one: Moments, other: Moments) -> Moments:
    count = one.rows + other.rows
    share = other.rows / count
    shift = other.mean - one.mean
    square = (1 - share) * one.deviation**2 + share * other.deviation**2
    deviation = (square + share * (1 - share) * shift**2).sqrt()
    return Moments(count, one.mean + share * shift, deviation)


def _finite(values: Tensor) -> Tensor:
    return torch.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
