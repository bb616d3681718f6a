"""Word-wise sparse attention: each word takes up the sound and the sight that it attends to."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from models.batch import PaddedSequence
from models.sparsemax import sparsemax
from models.text_transformer import EmbeddedText
from models.word_alignment import proportional_alignment

WordAttention = Literal["sparsemax", "softmax", "aligned"]


class WordwiseAttention(nn.Module):
    """Shift word embeddings by what other modalities add to them.

    For modality m with frames x: ``A = sparsemax(e (W x)^T)`` over frames, ``a = A x``,
    ``g = ReLU(W_g [a; e])`` and ``h = sum_m g * (U a)``; the output is
    ``Dropout(LayerNorm(e + min(beta |e| / |h|, 1) h))``, step by step.

    Parameters
    ----------
    width : int
        Width d of the embeddings.
    frame_widths : mapping of str to int
        Modality to the width of its frames; with none of them nothing is added.
    attention : {"sparsemax", "softmax", "aligned"}
        How A is made. ``aligned`` is MAG: words and frames in proportion, without attention.
    beta : float
        Longest shift in units of the embedding's length, > 0.
    dropout : float
        Of the output, in [0, 1).

    Notes
    -----
    WSA-BERT, Interspeech 2022, and MIRD; MAG is Rahman et al., ACL 2020. Scores are not divided by
    sqrt(d), as there, so that in a wide embedding a word begins with one or two frames, and with a
    gradient of 0 for the keys where it has only one.
    """

    def __init__(
        self,
        *,
        width: int,
        frame_widths: Mapping[str, int],
        attention: WordAttention,
        beta: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.beta = beta
        if attention != "aligned":
            self.keys = nn.ModuleDict(
                {name: nn.Linear(size, width, bias=False) for name, size in frame_widths.items()}
            )
        self.gates = nn.ModuleDict(
            {name: nn.Linear(size + width, width) for name, size in frame_widths.items()}
        )
        self.values = nn.ModuleDict(
            {name: nn.Linear(size, width, bias=False) for name, size in frame_widths.items()}
        )
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, text: EmbeddedText, frames: Mapping[str, PaddedSequence]) -> Tensor:
        """Shift.

        Parameters
        ----------
        text : EmbeddedText
            B rows of L embedded words.
        frames : mapping of str to PaddedSequence
            Modality to its frames; a row without any valid one adds nothing.

        Returns
        -------
        Tensor, shape (B, L, d)
            Shifted embeddings.
        """
        shift = torch.zeros_like(text.values)
        for name, sequence in frames.items():
            attended = self.weights(name, text, sequence) @ sequence.values
            gate = self.gates[name](torch.cat([attended, text.values], dim=-1)).relu()
            shift = shift + gate * self.values[name](attended)
        allowed = self.beta * torch.linalg.vector_norm(text.values, dim=-1, keepdim=True)
        length = torch.linalg.vector_norm(shift, dim=-1, keepdim=True)
        shifted: Tensor = self.dropout(
            self.norm(text.values + (allowed / (length + 1e-6)).clamp(max=1.0) * shift)
        )
        return shifted

    def weights(self, name: str, text: EmbeddedText, sequence: PaddedSequence) -> Tensor:
        """Weigh the frames of one modality for each word.

        Parameters
        ----------
        name : str
            The modality.
        text : EmbeddedText
            B rows of L embedded words.
        sequence : PaddedSequence
            T frames a row.

        Returns
        -------
        Tensor, shape (B, L, T)
            Weights >= 0 that add up to 1, or to 0 where there is nothing to attend to.
        """
        if self.attention == "aligned":
            found = proportional_alignment(steps=text.pieces, frames=sequence.mask)
            return found.to(sequence.values.dtype)
        scores = text.values @ self.keys[name](sequence.values).transpose(1, 2)
        mask = sequence.mask[:, None, :]
        if self.attention == "sparsemax":
            return sparsemax(scores=scores, mask=mask)
        # a row without a valid frame spreads over its padding, and loses all of it
        masked = scores.masked_fill(~(mask | ~mask.any(dim=2, keepdim=True)), -torch.inf)
        weights: Tensor = masked.softmax(dim=2) * mask
        return weights
