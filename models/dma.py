"""DMA: modalities aligned by their covariances (Lai et al., arXiv 2305.08473).

Self-MM (:mod:`models.self_mm`, where its equations are listed) and one loss more. With
``covariance_weight: 0`` it is Self-MM.

==========================  ===============================================================
paper                       code
==========================  ===============================================================
L_cov                       term ``covariance``, :func:`models.losses.covariance.covariance_loss`
"combinatorial" pairs       ``covariance_pairs``; audio and vision in the paper's text
==========================  ===============================================================

What of the paper could not be learned, and what is done:

======================  =================================================================
item                    here
======================  =================================================================
weight of L_cov         1; it is small, since L_cov has a factor of 1 / (4 c^2)
normaliser              that of CORAL, 1 / (4 c^2)
features of unequal     linear projections without a bias to a common width c
width
several pairs           the mean of their L_cov
results                 none are known; Self-MM's are the ones to compare with
======================  =================================================================

Trained on CMU-MOSI's utterance vectors and on ICT-MMMO, L_cov stays near 1e-5 beside a task error
near 1, and neither a weight of 1 nor of 10 moves the test error by more than seeds do: the
normaliser and features of small variance leave it next to no say. Equal covariances do not say
that two modalities agree on an utterance, either; see
:func:`models.losses.covariance.covariance_loss`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from models.base import Losses, Output, register
from models.batch import MODALITIES, Batch
from models.losses.barlow import barlow_twins_loss
from models.losses.covariance import covariance_loss
from models.self_mm import SelfMM
from models.self_mm_config import SelfMMConfig

Alignment = Literal["coral", "coral_norm", "barlow"]


@dataclass(frozen=True, kw_only=True)
class DMAConfig(SelfMMConfig):
    """Hyper-parameters of :class:`DMA`, besides those of Self-MM.

    Parameters
    ----------
    covariance_weight : float
        Weight of L_cov, >= 0; with 0 there are neither the term nor its projections.
    covariance_pairs : tuple of pairs of str
        Which modalities are aligned; pairs that the data does not have are passed over.
    covariance_width : int
        Common width c, >= 1.
    alignment : {"coral", "coral_norm", "barlow"}
        Covariances, as in the paper; correlations, which cannot be lowered by shrinking; or the
        correlation across two modalities, which compares utterance by utterance.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    covariance_weight: float = 1.0
    covariance_pairs: tuple[tuple[str, str], ...] = (("audio", "vision"),)
    covariance_width: int = 32
    alignment: Alignment = "coral"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.covariance_weight >= 0.0:
            raise ValueError(f"covariance_weight must be >= 0, got {self.covariance_weight}")
        if self.alignment not in get_args(Alignment):
            raise ValueError(
                f"alignment must be one of {get_args(Alignment)}, got {self.alignment!r}"
            )
        pairs = {frozenset(pair) for pair in self.covariance_pairs}
        if len(pairs) < len(self.covariance_pairs) or not all(
            len(pair) == 2 and pair <= set(MODALITIES) for pair in pairs
        ):
            raise ValueError(
                f"covariance_pairs must be distinct pairs of two of {list(MODALITIES)}, got "
                f"{self.covariance_pairs}"
            )


@register
class DMA(SelfMM):
    """Self-MM whose modalities have covariances alike.

    Parameters
    ----------
    config : DMAConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "dma"
    Config = DMAConfig
    config: DMAConfig

    def __init__(self, config: DMAConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        self.pairs = tuple(
            pair
            for pair in self.config.covariance_pairs
            if self.config.covariance_weight > 0.0 and set(pair) <= set(self.modalities)
        )
        self.projections = nn.ModuleDict(
            {
                name: nn.Linear(
                    self._setting(name, "head_width"), self.config.covariance_width, bias=False
                )
                for name in self.modalities
                if any(name in pair for pair in self.pairs)
            }
        )

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the losses of Self-MM and L_cov.

        Parameters
        ----------
        batch : Batch
            What was predicted; an unlabelled batch trains L_cov alone.
        output : Output
            What :meth:`forward` returned for it.
        progress : float
            Not used.

        Returns
        -------
        Losses
            Those of :class:`SelfMM`, and ``covariance`` if there are pairs.
        """
        losses = super().losses(batch, output, progress)
        if not self.pairs:
            return losses
        projected = {
            name: layer(output.parts["Z"][name]) for name, layer in self.projections.items()
        }
        distances = [self._distance(projected[a], projected[b]) for a, b in self.pairs]
        return Losses(
            terms={**losses.terms, "covariance": torch.stack(distances).mean()},
            weights={**losses.weights, "covariance": self.config.covariance_weight},
        )

    def _distance(self, a: Tensor, b: Tensor) -> Tensor:
        if self.config.alignment == "barlow":
            return barlow_twins_loss(a=a, b=b)
        return covariance_loss(a=a, b=b, standardise=self.config.alignment == "coral_norm")
