"""LSTMs: from a padded sequence to one vector, and back."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.batch import PaddedSequence
from models.pooling import average_windows


def gather_valid(*, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Move the valid steps of each row to its front, in their order.

    Parameters
    ----------
    values : Tensor, shape (B, L, D)
        Sequences.
    mask : Tensor of bool, shape (B, L)
        True where a step is valid.

    Returns
    -------
    values : Tensor, shape (B, L, D)
        Valid steps first, then zeros.
    lengths : Tensor of int64, shape (B,)
        Number of valid steps.
    """
    order = torch.argsort((~mask).to(torch.uint8), dim=1, stable=True)
    kept = torch.gather(values * mask[..., None], 1, order[..., None].expand_as(values))
    return kept, mask.sum(dim=1)


class RecurrentEncoder(nn.Module):
    """Last state of a single LSTM layer, over the valid steps alone.

    Parameters
    ----------
    input_width : int
        Width of a step, >= 1.
    width : int
        Width of the state, >= 1.
    stride : int
        Frames averaged into one step, >= 1.
    """

    def __init__(self, *, input_width: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.lstm = nn.LSTM(input_width, width, batch_first=True)

    def forward(self, sequence: PaddedSequence) -> Tensor:
        """Encode.

        Parameters
        ----------
        sequence : PaddedSequence
            B sequences of L frames.

        Returns
        -------
        Tensor, shape (B, width)
            State after the last valid step; zeros for a row without any.
        """
        values, mask = average_windows(values=sequence.values, mask=sequence.mask, size=self.stride)
        values, lengths = gather_valid(values=values, mask=mask)
        # an LSTM refuses sequences of no steps
        values = F.pad(values, (0, 0, 0, int(not values.shape[1])))
        states, _ = self.lstm(values)
        rows = torch.arange(len(lengths), device=lengths.device)
        last: Tensor = states[rows, (lengths - 1).clamp(min=0)]
        return last * (lengths > 0)[:, None]


class RecurrentDecoder(nn.Module):
    """Rebuild a sequence from one vector by an LSTM that runs freely.

    The vector is the input of the first step, the state before it that of each later one.

    Parameters
    ----------
    width : int
        Width of the vector and of the state, >= 1.
    output_width : int
        Width of a rebuilt step, >= 1.
    """

    def __init__(self, *, width: int, output_width: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(width, width)
        self.output = nn.Linear(width, output_width)

    def forward(self, code: Tensor, steps: int) -> Tensor:
        """Decode.

        Parameters
        ----------
        code : Tensor, shape (B, width)
            Vectors.
        steps : int
            Length L of the sequences, >= 0.

        Returns
        -------
        Tensor, shape (B, L, output_width)
            Rebuilt steps; the first ones do not depend on L.
        """
        state = torch.zeros_like(code)
        memory, given = state, code
        states = [code.new_zeros(len(code), 0, code.shape[1])]
        for _ in range(steps):
            state, memory = self.cell(given, (state, memory))
            given = state
            states.append(state[:, None])
        rebuilt: Tensor = self.output(torch.cat(states, dim=1))
        return rebuilt
