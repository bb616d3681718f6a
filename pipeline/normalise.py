"""Standardisation by the training split's statistics."""

from collections.abc import Mapping
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
        mean, scale = {}, {}
        for modality, values in rows.items():
            exact = _finite(values).double()
            if not len(exact):
                exact = exact.new_zeros(1, values.shape[1])
            centre, spread = exact.mean(0), exact.std(0, correction=0)
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
        return ((_finite(values) - mean) / scale).clamp(-LIMIT, LIMIT)


def _finite(values: Tensor) -> Tensor:
    return torch.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
