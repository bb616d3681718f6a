"""The smallest encoder of a sequence: a network on each frame, then the mean."""

from torch import Tensor, nn

from models.batch import PaddedSequence
from models.pooling import masked_mean


class FrameEncoder(nn.Module):
    """Two layers with ReLU on each frame by itself, and their mean over the valid frames.

    Parameters
    ----------
    input_width : int
        Width of a frame, >= 1.
    width : int
        Width d of both layers and of the vector, >= 1.
    """

    def __init__(self, *, input_width: int, width: int) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(input_width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )

    def forward(self, sequence: PaddedSequence) -> Tensor:
        """Encode.

        Parameters
        ----------
        sequence : PaddedSequence
            B sequences of frames.

        Returns
        -------
        Tensor, shape (B, d)
            One vector a row; zeros for a row without any valid frame.
        """
        return masked_mean(values=self.network(sequence.values), mask=sequence.mask)
