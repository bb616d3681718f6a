"""Pre-norm transformer layer and sinusoidal positions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sinusoidal_positions(*, length: int, width: int, like: Tensor) -> Tensor:
    """Position codes of sines and cosines.

    Parameters
    ----------
    length : int
        Number of steps, >= 0.
    width : int
        Width of a code, even and > 0.
    like : Tensor
        Gives the device and the type.

    Returns
    -------
    Tensor, shape (length, width)
        Sines in the first half of the columns, cosines in the second; a code depends on the
        step's index alone.

    Notes
    -----
    Vaswani et al., NeurIPS 2017, section 3.5.
    """
    half = width // 2
    steps = torch.arange(length, device=like.device, dtype=torch.float32)
    exponents = torch.arange(half, device=like.device, dtype=torch.float32) / half
    angles = steps.unsqueeze(1) * torch.exp(-math.log(10000.0) * exponents)
    return torch.cat([angles.sin(), angles.cos()], dim=1).to(like.dtype)


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward block, each after a LayerNorm and around a residual.

    Parameters
    ----------
    width : int
        Width d of the steps, a multiple of ``heads``.
    heads : int
        Attention heads.
    attention_dropout : float
        Dropout of the attention weights, 0 to 1.
    feedforward_dropout : float
        Dropout between the two linear maps (d to 4d to d, ReLU between) of the feed-forward
        block.
    residual_dropout : float
        Dropout of what is added to the residual.
    """

    def __init__(
        self,
        *,
        width: int,
        heads: int,
        attention_dropout: float,
        feedforward_dropout: float,
        residual_dropout: float,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.attention_dropout = attention_dropout
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_output = nn.Linear(width, width)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.ReLU(),
            nn.Dropout(feedforward_dropout),
            nn.Linear(4 * width, width),
        )
        self.residual_dropout = nn.Dropout(residual_dropout)

    def forward(self, hidden: Tensor, keys: Tensor) -> Tensor:
        """Transform the steps.

        Parameters
        ----------
        hidden : Tensor, shape (B, L, d)
            Steps.
        keys : Tensor of bool, shape (B, L)
            True for the steps that may be attended to, at least one in each row.

        Returns
        -------
        Tensor, shape (B, L, d)
            Transformed steps.
        """
        hidden = hidden + self.residual_dropout(self._attend(hidden, keys))
        transformed: Tensor = hidden + self.residual_dropout(self.feedforward(hidden))
        return transformed

    def _attend(self, hidden: Tensor, keys: Tensor) -> Tensor:
        projected = self.query_key_value(self.attention_norm(hidden))
        query, key, value = projected.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=keys[:, None, None, :],
            dropout_p=self.attention_dropout if self.training else 0.0,
        )
        output: Tensor = self.attention_output(attended.transpose(1, 2).flatten(-2))
        return output
