"""Crossmodal transformers: steps of one modality that look at those of another."""

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.batch import PaddedSequence
from models.last_step import last_step
from models.mult_config import MulTConfig
from models.transformer import sinusoidal_positions


def attention_mask(*, queries: Tensor, keys: Tensor, future_mask: bool) -> Tensor:
    """Tell which step of a target may look at which of a source.

    Parameters
    ----------
    queries, keys : Tensor of bool, shape (B, L_q) and (B, L_k)
        Steps that are there, the first n_q and n_k of each row.
    future_mask : bool
        Whether step i of the target is kept from all steps of the source behind step
        ``i + |n_k - n_q|``.

    Returns
    -------
    Tensor of bool, shape (B, L_q, L_k)
        True where the source's step is there and may be looked at: at least the first one,
        unless the row has none.

    Notes
    -----
    The mask of the future is the one of the authors' code, with true lengths in the place of the
    padded ones. The first step of the longer one of two sequences that are far from equally long
    sees most of the other; only in self-attention, and between equally long sequences, is it the
    causal mask.
    """
    allowed = keys[:, None, :].expand(-1, queries.shape[1], -1)
    if not future_mask:
        return allowed
    ahead = (keys.sum(dim=1) - queries.sum(dim=1)).abs()
    query_steps = torch.arange(queries.shape[1], device=queries.device)
    key_steps = torch.arange(keys.shape[1], device=keys.device)
    last = query_steps + ahead[:, None]
    return allowed & (key_steps <= last[..., None])


class CrossmodalLayer(nn.Module):
    """Attention of a target to a source and a feed-forward block, pre-norm, around residuals.

    Parameters
    ----------
    config : MulTConfig
        Heads and dropouts.
    width : int
        Width d of the steps, a multiple of the heads.
    attention_dropout : float
        Dropout of the attention weights, in [0, 1).

    Notes
    -----
    Tsai et al., MulT, ACL 2019, section 3.1 (crossmodal attention) and equation 4.
    """

    def __init__(self, config: MulTConfig, *, width: int, attention_dropout: float) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention_dropout = attention_dropout
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.attention_output = nn.Linear(width, width)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.ReLU(),
            nn.Dropout(config.feedforward_dropout),
            nn.Linear(4 * width, width),
        )
        self.residual_dropout = nn.Dropout(config.residual_dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, target: Tensor, source: Tensor | None, allowed: Tensor) -> Tensor:
        """Transform the target's steps.

        Parameters
        ----------
        target : Tensor, shape (B, L_q, d)
            Steps that look.
        source : Tensor, shape (B, L_k, d), or None
            Steps that are looked at; the target's own if None.
        allowed : Tensor of bool, shape (B, L_q, L_k)
            From :func:`attention_mask`.

        Returns
        -------
        Tensor, shape (B, L_q, d)
            Transformed steps; a step that may look at nothing gets nothing from the source.
        """
        attended = self._attend(target, target if source is None else source, allowed)
        hidden = target + self.residual_dropout(attended)
        transformed: Tensor = hidden + self.residual_dropout(self.feedforward(hidden))
        return transformed

    def _attend(self, target: Tensor, source: Tensor, allowed: Tensor) -> Tensor:
        query = self.query(self.norm(target)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        projected = self.key_value(self.norm(source)).unflatten(-1, (2, self.heads, -1))
        key, value = projected.permute(2, 0, 3, 1, 4)
        some = allowed.any(dim=2, keepdim=True)
        # what a softmax over nothing gives depends on the attention kernel
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=(allowed | ~some)[:, None],
            dropout_p=self.attention_dropout if self.training else 0.0,
        )
        output: Tensor = self.attention_output(attended.transpose(1, 2).flatten(-2)) * some
        return output


class CrossmodalTransformer(nn.Module):
    """Layers that bring a source to the steps of a target, or self-attention without a source.

    Steps are scaled by sqrt(d) and given sinusoidal positions; every layer looks at the source as
    it was in front of the first one; a LayerNorm ends it.

    Parameters
    ----------
    config : MulTConfig
        Heads, dropouts and the mask of the future.
    width : int
        Width d of the steps, even and a multiple of the heads.
    layers : int
        Number of layers, >= 1.
    attention_dropout : float
        Dropout of the attention weights, in [0, 1).

    Notes
    -----
    Tsai et al., MulT, ACL 2019, section 3.2, equations 2 to 4.
    """

    def __init__(
        self, config: MulTConfig, *, width: int, layers: int, attention_dropout: float
    ) -> None:
        super().__init__()
        self.width = width
        self.future_mask = config.future_mask
        self.embedding_dropout = nn.Dropout(config.embedding_dropout)
        self.layers = nn.ModuleList(
            CrossmodalLayer(config, width=width, attention_dropout=attention_dropout)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, target: PaddedSequence, source: PaddedSequence | None = None) -> Tensor:
        """Transform the target's steps.

        Parameters
        ----------
        target : PaddedSequence
            B sequences of L_q steps of width d, valid ones first.
        source : PaddedSequence, optional
            B sequences of L_k steps of width d, valid ones first; the target if None.

        Returns
        -------
        Tensor, shape (B, L_q, d)
            Steps that have seen the source; finite, also where the source has none.
        """
        allowed = attention_mask(
            queries=target.mask,
            keys=target.mask if source is None else source.mask,
            future_mask=self.future_mask,
        )
        hidden = self._embed(target.values)
        given = None if source is None else self._embed(source.values)
        for layer in self.layers:
            hidden = layer(hidden, given, allowed)
        transformed: Tensor = self.norm(hidden)
        return transformed

    def _embed(self, values: Tensor) -> Tensor:
        positions = sinusoidal_positions(length=values.shape[1], width=self.width, like=values)
        embedded: Tensor = self.embedding_dropout(values * math.sqrt(self.width) + positions)
        return embedded


def retold_last_step(
    *,
    target: str,
    steps: Mapping[str, PaddedSequence],
    crossmodal: nn.ModuleDict,
    self_attention: nn.Module,
) -> Tensor:
    """Let a modality look at all others, then at what came of it, and take its last valid step.

    Parameters
    ----------
    target : str
        The modality that looks.
    steps : mapping of str to PaddedSequence
        Every modality's steps, B sequences of width d.
    crossmodal : ModuleDict of CrossmodalTransformer
        ``<source>_to_<target>`` of all pairs.
    self_attention : Module
        Transformer over what came of it side by side, M - 1 times d wide, or d with one modality.

    Returns
    -------
    Tensor, shape (B, (M - 1) d) or (B, d)
        Last valid steps; zeros where there is none.
    """
    mask = steps[target].mask
    retold = [
        crossmodal[f"{source}_to_{target}"](steps[target], sequence)
        for source, sequence in steps.items()
        if source != target
    ]
    values = torch.cat(retold, dim=2) if retold else steps[target].values
    hidden = self_attention(PaddedSequence(values=values, mask=mask))
    return last_step(values=hidden, mask=mask)
