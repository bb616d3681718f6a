"""Post-norm transformer over frames, whose mean is one vector."""

import torch
from torch import Tensor, nn

from models.batch import PaddedSequence
from models.pooling import average_windows, masked_mean
from models.transformer import sinusoidal_positions


class FrameTransformer(nn.Module):
    """A learnable token and the frames behind it, post-norm layers with GELU, LayerNorm, mean.

    Parameters
    ----------
    input_width : int
        Width of a frame, >= 1.
    width : int
        Width d of the vector and inside the feed-forward blocks, even and a multiple of ``heads``.
    heads, layers : int
        Of the transformer, >= 1.
    dropout : float
        Of what goes into the transformer and inside it, in [0, 1).
    stride : int
        Frames averaged into one step, >= 1.

    Notes
    -----
    Yang et al., ConFEDE, ACL 2023, encoders of audio and vision.
    """

    def __init__(
        self, *, input_width: int, width: int, heads: int, layers: int, dropout: float, stride: int
    ) -> None:
        super().__init__()
        self.stride = stride
        self.projection = nn.Linear(input_width, width)
        self.token = nn.Parameter(torch.ones(width))
        self.dropout = nn.Dropout(dropout)
        self.transformer = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(
                width,
                heads,
                dim_feedforward=width,
                dropout=dropout,
                activation="gelu",
                batch_first=True,
            ),
            layers,
            norm=nn.LayerNorm(width),
            enable_nested_tensor=False,
        )

    def forward(self, sequence: PaddedSequence) -> Tensor:
        """Encode.

        Parameters
        ----------
        sequence : PaddedSequence
            B sequences of frames; a row without a valid frame is legal.

        Returns
        -------
        Tensor, shape (B, d)
            Mean over the valid steps and the token, which is alone in a row without any.
        """
        values, mask = average_windows(values=sequence.values, mask=sequence.mask, size=self.stride)
        steps = torch.cat([self.token.expand(len(values), 1, -1), self.projection(values)], dim=1)
        steps = steps + sinusoidal_positions(
            length=steps.shape[1], width=steps.shape[2], like=steps
        )
        mask = nn.functional.pad(mask, (1, 0), value=True)
        hidden = self.transformer(self.dropout(steps), src_key_padding_mask=~mask)
        return masked_mean(values=hidden, mask=mask)
