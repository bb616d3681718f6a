"""Hyper-modality learning: one modality says what to take from the others."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from models.almt_config import ALMTConfig
from models.attention_layer import attend


class HyperModalityLayer(nn.Module):
    """A layer of ALMT's adaptive hyper-modality learning.

    ``H_hyper^j = H_hyper^(j-1) + (sum_m softmax(Q K_m^T / sqrt(d_k)) V_m) W``, with queries Q of
    the language H_l^j, and keys K_m and values V_m of each other modality H_m^1. Nothing of H_hyper
    decides what is added to it.

    Parameters
    ----------
    config : ALMTConfig
        Width, heads and the width of a head.
    sources : iterable of str
        Names of the modalities that are taken from, at least one.

    Notes
    -----
    Zhang et al., ALMT, EMNLP 2023, adaptive hyper-modality learning: the matrices alpha (audio)
    and beta (vision), and the update of H_hyper.
    """

    def __init__(self, config: ALMTConfig, *, sources: Iterable[str]) -> None:
        super().__init__()
        self.heads = config.heads
        width, inside = config.width, config.heads * config.hyper_head_width
        self.guide_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, inside, bias=False)
        self.keys_values = nn.ModuleDict(
            {
                name: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * inside, bias=False))
                for name in sources
            }
        )
        self.output = nn.Sequential(nn.Linear(inside, width), nn.Dropout(config.dropout))

    def forward(
        self,
        hyper: Tensor,
        guide: Tensor,
        sources: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
    ) -> Tensor:
        """Add what the guide asks for.

        Parameters
        ----------
        hyper : Tensor, shape (B, T, d)
            H_hyper^(j-1).
        guide : Tensor, shape (B, T, d)
            H_l^j.
        sources : mapping of str to Tensor, shape (B, T, d)
            Modality to H_m^1.
        present : mapping of str to Tensor of bool, shape (B,)
            Modality to the rows that have it; the others get nothing of it.

        Returns
        -------
        Tensor, shape (B, T, d)
            H_hyper^j.
        """
        query = self.query(self.guide_norm(guide))
        found = []
        for name, key_value in self.keys_values.items():
            key, value = key_value(sources[name]).chunk(2, dim=-1)
            taken = attend(query=query, key=key, value=value, heads=self.heads)
            found.append(taken * present[name][:, None, None])
        updated: Tensor = hyper + self.output(torch.stack(found).sum(dim=0))
        return updated
