"""Backbones: from one modality's padded sequence to one vector."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.batch import PaddedSequence
from models.pooling import average_windows, masked_mean
from models.transformer import TransformerLayer, sinusoidal_positions

Pooling = Literal["summary", "last", "mean", "attn"]


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Hyper-parameters of the backbones.

    Parameters
    ----------
    width : int
        Width d of the vector, even and a multiple of ``heads``.
    layers : int
        Transformer layers, >= 1.
    heads : int
        Attention heads, >= 1.
    pooling : {"summary", "last", "mean", "attn"}
        How steps become one vector: the output at an appended learnable token, which attends to
        valid steps only; the output at an appended zero step without any mask, as the authors of
        MInD do, which makes the vector depend on the padding (for reproduction); the mean of
        valid steps; or their mean weighted by a learnable score.
    embedding_dropout, attention_dropout, feedforward_dropout, residual_dropout : float
        Dropout of the embedded steps, the attention weights, the feed-forward blocks' inner
        layer and the branches added to the residual, each in [0, 1).

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    width: int = 128
    layers: int = 3
    heads: int = 4
    pooling: Pooling = "summary"
    embedding_dropout: float = 0.2
    attention_dropout: float = 0.5
    feedforward_dropout: float = 0.3
    residual_dropout: float = 0.3

    def __post_init__(self) -> None:
        if self.layers < 1 or self.heads < 1:
            raise ValueError(f"layers and heads must be >= 1, got {self.layers} and {self.heads}")
        if self.width < 2 or self.width % 2 or self.width % self.heads:
            raise ValueError(
                f"width must be even and a multiple of heads={self.heads}, got {self.width}"
            )
        if self.pooling not in get_args(Pooling):
            raise ValueError(f"pooling must be one of {get_args(Pooling)}, got {self.pooling!r}")
        self._check_probabilities()

    def _check_probabilities(self) -> None:
        names = [name for name in self.__dataclass_fields__ if name.endswith("_dropout")]
        wrong = {n: getattr(self, n) for n in names if not 0.0 <= getattr(self, n) < 1.0}
        if wrong:
            raise ValueError(f"dropout must lie in [0, 1), got {wrong}")


class SequenceEncoder(nn.Module):
    """Transformer over acoustic or visual frames.

    Frames are averaged in windows of ``stride``, projected without a bias, scaled by sqrt(d),
    given sinusoidal positions and passed through pre-norm layers with a final LayerNorm.

    Parameters
    ----------
    config : EncoderConfig
        Hyper-parameters.
    input_width : int
        Width of a frame, >= 1.
    stride : int
        Frames averaged into one step, >= 1. Attention costs grow with the square of the number
        of steps.

    Notes
    -----
    MInD, section on feature extraction ("standard transformer", 3 layers).
    """

    def __init__(self, config: EncoderConfig, *, input_width: int, stride: int = 1) -> None:
        super().__init__()
        self.config = config
        self.stride = stride
        self.projection = nn.Linear(input_width, config.width, bias=False)
        self.layers = nn.ModuleList(
            TransformerLayer(
                width=config.width,
                heads=config.heads,
                attention_dropout=config.attention_dropout,
                feedforward_dropout=config.feedforward_dropout,
                residual_dropout=config.residual_dropout,
            )
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        if config.pooling == "summary":
            self.summary = nn.Parameter(torch.zeros(config.width))
        if config.pooling == "attn":
            self.score = nn.Linear(config.width, 1)

    def forward(self, sequence: PaddedSequence) -> Tensor:
        """Encode.

        Parameters
        ----------
        sequence : PaddedSequence
            B sequences of L frames; a row without a valid frame is legal.

        Returns
        -------
        Tensor, shape (B, d)
            One finite vector a row.
        """
        hidden, mask = self._append(*self._embed(sequence))
        # What a softmax over nothing gives depends on the attention kernel, so a row that has
        # nothing to attend to attends to its padding, and pooling drops it.
        keys = mask | ~mask.any(dim=1, keepdim=True)
        for layer in self.layers:
            hidden = layer(hidden, keys)
        return self._pool(self.norm(hidden), mask)

    def _embed(self, sequence: PaddedSequence) -> tuple[Tensor, Tensor]:
        values, mask = average_windows(values=sequence.values, mask=sequence.mask, size=self.stride)
        hidden = self.projection(values) * math.sqrt(self.config.width)
        positions = sinusoidal_positions(
            length=hidden.shape[1], width=self.config.width, like=hidden
        )
        hidden = (hidden + positions) * mask.unsqueeze(-1)
        return F.dropout(hidden, self.config.embedding_dropout, self.training), mask

    def _append(self, hidden: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        if self.config.pooling == "summary":
            token = self.summary.expand(len(hidden), 1, -1)
            return torch.cat([hidden, token], dim=1), F.pad(mask, (0, 1), value=True)
        if self.config.pooling == "last":
            hidden = F.pad(hidden, (0, 0, 1, 1))
            return hidden, hidden.new_ones(hidden.shape[:2], dtype=torch.bool)
        return hidden, mask

    def _pool(self, hidden: Tensor, mask: Tensor) -> Tensor:
        if self.config.pooling == "mean":
            return masked_mean(values=hidden, mask=mask)
        if self.config.pooling == "attn":
            scores = self.score(hidden).squeeze(-1).masked_fill(~mask, -torch.inf)
            weights = scores.masked_fill(~mask.any(dim=1, keepdim=True), 0.0).softmax(dim=1) * mask
            pooled: Tensor = (weights.unsqueeze(-1) * hidden).sum(dim=1)
            return pooled
        return hidden[:, -1]


class TextEncoder(nn.Module):
    """Mean over stored token features, then Linear, ReLU and LayerNorm.

    Parameters
    ----------
    input_width : int
        Width of a token's features, >= 1.
    width : int
        Width d of the vector, >= 1.
    """

    def __init__(self, *, input_width: int, width: int) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(input_width, width), nn.ReLU(), nn.LayerNorm(width))

    def forward(self, sequence: PaddedSequence) -> Tensor:
        """Encode.

        Parameters
        ----------
        sequence : PaddedSequence
            B sequences of token features; a row without a token is legal.

        Returns
        -------
        Tensor, shape (B, d)
            One finite vector a row.
        """
        encoded: Tensor = self.head(masked_mean(values=sequence.values, mask=sequence.mask))
        return encoded
