"""Head from a vector to a score, around a residual block."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class HeadOutput(NamedTuple):
    """What a :class:`ResidualHead` makes of B vectors.

    Parameters
    ----------
    score : Tensor, shape (B,)
        Sentiment.
    hidden : Tensor, shape (B, width)
        Inside the block, behind its ReLU.
    features : Tensor, shape (B, width)
        Behind the block.
    """

    score: Tensor
    hidden: Tensor
    features: Tensor


class ResidualHead(nn.Module):
    """``h = ReLU(Linear(x))``, ``f = x + Linear(Dropout(h))`` and the score ``Linear(f)``.

    Parameters
    ----------
    width : int
        Width of the vector and of the block, >= 1.
    dropout : float
        Inside the block, in [0, 1).

    Notes
    -----
    The last block of MulT (Tsai et al., ACL 2019) as its authors' code has it.
    """

    def __init__(self, *, width: int, dropout: float) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.outer = nn.Linear(width, width)
        self.score = nn.Linear(width, 1)

    def forward(self, vector: Tensor) -> HeadOutput:
        """Score.

        Parameters
        ----------
        vector : Tensor, shape (B, width)
            Vectors.

        Returns
        -------
        HeadOutput
            Score and features.
        """
        hidden = torch.relu(self.inner(vector))
        features = vector + self.outer(self.dropout(hidden))
        return HeadOutput(score=self.score(features)[:, 0], hidden=hidden, features=features)
