"""A convolution over time that knows where each sequence ends."""

import torch
import torch.nn.functional as F
from torch import nn

from models.batch import PaddedSequence
from models.pooling import average_windows
from models.recurrent import gather_valid


class TemporalConvolution(nn.Module):
    """Windows of consecutive valid steps, each mapped linearly to one step.

    Parameters
    ----------
    input_width : int
        Width of a frame, >= 1.
    width : int
        Width d of a step, >= 1.
    kernel : int
        Steps of a window, >= 1.
    stride : int
        Frames averaged into one step beforehand, >= 1; windows themselves move by one step.

    Notes
    -----
    Tsai et al., MulT, ACL 2019, section 3.2, equation 1; without a bias, as in the authors' code.
    """

    def __init__(self, *, input_width: int, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.convolution = nn.Conv1d(input_width, width, kernel, bias=False)

    def forward(self, sequence: PaddedSequence) -> PaddedSequence:
        """Convolve.

        Parameters
        ----------
        sequence : PaddedSequence
            B sequences of L frames.

        Returns
        -------
        PaddedSequence
            Steps of width d, valid ones first: of n valid steps ``n - kernel + 1``, or a single
            one, whose window ends in zeros, of fewer than ``kernel``; none of none.
        """
        values, mask = average_windows(values=sequence.values, mask=sequence.mask, size=self.stride)
        values, lengths = gather_valid(values=values, mask=mask)
        values = F.pad(values, (0, 0, 0, max(0, self.kernel - values.shape[1])))
        steps = self.convolution(values.transpose(1, 2)).transpose(1, 2)
        left = torch.where(lengths > 0, (lengths - self.kernel + 1).clamp(min=1), 0)
        there = torch.arange(steps.shape[1], device=left.device) < left[:, None]
        return PaddedSequence(values=steps * there[..., None], mask=there)
