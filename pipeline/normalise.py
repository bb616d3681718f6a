"""Standardisation by the training split's statistics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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
            centre, spread = _moments(blocks)
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


def _finite(values: Tensor) -> Tensor:
    return torch.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)


def _moments(blocks: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Measure mean and standard deviation of each column, float64.

    Blocks are merged by their moments (Chan, Golub & LeVeque 1979, eq. 2.1).
    """
    count, centre, spread = 0, torch.zeros(0), torch.zeros(0)
    for block in blocks:
        exact = _finite(block).double()
        if not len(exact):
            exact = exact.new_zeros(1, block.shape[1])
        mean, deviation = exact.mean(0), exact.std(0, correction=0)
        if not count:
            count, centre, spread = len(exact), mean, deviation
            continue
        total = count + len(exact)
        share = len(exact) / total
        between = share * (1 - share) * (mean - centre) ** 2
        spread = ((1 - share) * spread**2 + share * deviation**2 + between).sqrt()
        centre = centre + share * (mean - centre)
        count = total
    return centre, spread
