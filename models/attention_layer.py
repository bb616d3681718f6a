"""Attention with heads of any width, and the pre-norm layer around it."""

import torch.nn.functional as F
from torch import Tensor, nn


def attend(
    *, query: Tensor, key: Tensor, value: Tensor, heads: int, keys: Tensor | None = None
) -> Tensor:
    """Scaled dot-product attention, ``softmax(Q K^T / sqrt(d_k)) V`` in each head.

    Parameters
    ----------
    query : Tensor, shape (B, L_q, heads * d_k)
        Queries of all heads side by side.
    key, value : Tensor, shape (B, L_k, heads * d_k)
        Keys and values, likewise.
    heads : int
        Number of heads, >= 1.
    keys : Tensor of bool, shape (B, L_k), optional
        True for the steps that may be looked at, at least one in each row; all of them without it.

    Returns
    -------
    Tensor, shape (B, L_q, heads * d_k)
        What the heads found, side by side.

    Notes
    -----
    Vaswani et al., NeurIPS 2017, equation 1 and section 3.2.2.
    """
    attended = F.scaled_dot_product_attention(
        _split(query, heads),
        _split(key, heads),
        _split(value, heads),
        attn_mask=None if keys is None else keys[:, None, None, :],
    )
    return attended.transpose(1, 2).flatten(-2)


def _split(values: Tensor, heads: int) -> Tensor:
    return values.view(*values.shape[:2], heads, -1).transpose(1, 2)


class AttentionLayer(nn.Module):
    """Attention to a source and a feed-forward block with GELU, pre-norm, around residuals.

    Queries, keys and values have no bias, and the heads need not add up to the width of a step.

    Parameters
    ----------
    width : int
        Width d of the steps, >= 1.
    heads, head_width : int
        Of the attention, >= 1.
    feedforward_width : int
        Inside the feed-forward block, >= 1.
    dropout : float
        Behind the attention, inside the feed-forward block and behind it, in [0, 1).
    """

    def __init__(
        self, *, width: int, heads: int, head_width: int, feedforward_width: int, dropout: float
    ) -> None:
        super().__init__()
        self.heads = heads
        inside = heads * head_width
        self.target_norm = nn.LayerNorm(width)
        self.source_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, inside, bias=False)
        self.key_value = nn.Linear(width, 2 * inside, bias=False)
        self.output = nn.Sequential(nn.Linear(inside, width), nn.Dropout(dropout))
        self.feedforward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, feedforward_width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(feedforward_width, width),
            nn.Dropout(dropout),
        )

    def forward(
        self, target: Tensor, source: Tensor | None = None, keys: Tensor | None = None
    ) -> Tensor:
        """Transform the target's steps.

        Parameters
        ----------
        target : Tensor, shape (B, L_q, d)
            Steps that look.
        source : Tensor, shape (B, L_k, d), optional
            Steps that are looked at; the target's own if None.
        keys : Tensor of bool, shape (B, L_k), optional
            True for the steps of the source that may be looked at, at least one in each row.

        Returns
        -------
        Tensor, shape (B, L_q, d)
            Transformed steps.
        """
        query = self.query(self.target_norm(target))
        key, value = self.key_value(self.source_norm(target if source is None else source)).chunk(
            2, dim=-1
        )
        found = attend(query=query, key=key, value=value, heads=self.heads, keys=keys)
        hidden = target + self.output(found)
        transformed: Tensor = hidden + self.feedforward(hidden)
        return transformed
