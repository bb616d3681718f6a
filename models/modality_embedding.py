"""A sequence of any length in a few tokens."""

import torch
from torch import Tensor, nn

from models.almt_config import ALMTConfig
from models.attention_layer import AttentionLayer
from models.batch import PaddedSequence
from models.pooling import average_windows
from models.transformer import sinusoidal_positions


class ModalityEmbedding(nn.Module):
    """Learnable tokens in front of a modality's steps, and what a transformer makes of them.

    Parameters
    ----------
    config : ALMTConfig
        Widths, heads, layers and the number T of tokens.
    input_width : int
        Width of a step, >= 1.
    stride : int
        Steps averaged into one beforehand, >= 1.

    Notes
    -----
    Zhang et al., ALMT, EMNLP 2023, modality embedding.
    """

    def __init__(self, config: ALMTConfig, *, input_width: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.projection = nn.Linear(input_width, config.width)
        self.tokens = nn.Parameter(torch.randn(config.tokens, config.width))
        self.layers = nn.ModuleList(
            AttentionLayer(
                width=config.width,
                heads=config.heads,
                head_width=config.head_width,
                feedforward_width=config.feedforward_width,
                dropout=config.dropout,
            )
            for _ in range(config.embedding_layers)
        )

    def forward(self, sequence: PaddedSequence) -> Tensor:
        """Embed.

        Parameters
        ----------
        sequence : PaddedSequence
            B sequences; a row without a valid step is legal.

        Returns
        -------
        Tensor, shape (B, T, d)
            Tokens that have seen the valid steps, and each other.
        """
        values, mask = average_windows(values=sequence.values, mask=sequence.mask, size=self.stride)
        steps = self.projection(values)
        steps = steps + sinusoidal_positions(
            length=steps.shape[1], width=steps.shape[2], like=steps
        )
        tokens = self.tokens.expand(len(steps), -1, -1)
        hidden = torch.cat([tokens, steps], dim=1)
        keys = torch.cat([mask.new_ones(tokens.shape[:2]), mask], dim=1)
        for layer in self.layers:
            hidden = layer(hidden, keys=keys)
        return hidden[:, : len(self.tokens)]
