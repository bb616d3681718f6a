"""Two bidirectional LSTM layers, and the last states of both."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.batch import PaddedSequence
from models.bidirectional_lstm import BidirectionalLSTM
from models.pooling import average_windows
from models.recurrent import gather_valid


class BidirectionalEncoder(nn.Module):
    """Last states of two bidirectional LSTM layers with a LayerNorm between, over valid steps.

    Parameters
    ----------
    input_width : int
        Width of a step, >= 1.
    width : int
        Width h of the state of one layer in one direction, >= 1.
    stride : int
        Frames averaged into one step, >= 1.

    Notes
    -----
    Hazarika et al., MISA, ACM Multimedia 2020, feature extraction of audio and vision.
    """

    def __init__(self, *, input_width: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.first = BidirectionalLSTM(input_width=input_width, width=width)
        self.norm = nn.LayerNorm(2 * width)
        self.second = BidirectionalLSTM(input_width=2 * width, width=width)

    def forward(self, sequence: PaddedSequence, lengths: Tensor | None = None) -> Tensor:
        """Encode.

        Parameters
        ----------
        sequence : PaddedSequence
            B sequences of L frames.
        lengths : Tensor of int64, shape (B,), optional
            Steps to read in the place of the valid ones: as many from the first one on, whatever
            the mask says, zeros where there is none.

        Returns
        -------
        Tensor, shape (B, 4 h)
            Of the first layer forwards and backwards, then of the second; zeros for a row without
            any step to read.
        """
        values, mask = average_windows(values=sequence.values, mask=sequence.mask, size=self.stride)
        if lengths is None:
            values, lengths = gather_valid(values=values, mask=mask)
            wanted = values.shape[1]
        else:
            wanted = int(lengths.max())
        # an LSTM refuses sequences of no steps
        values = F.pad(values, (0, 0, 0, max(1, wanted) - values.shape[1]))
        hidden, first = self.first(values, lengths)
        _, second = self.second(self.norm(hidden), lengths)
        return torch.cat([first, second], dim=1)
