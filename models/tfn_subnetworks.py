"""Small networks of one modality, and the head, that TFN, LMF and LF-DNN share in MMSA."""

import torch.nn.functional as F
from torch import Tensor, nn

from models.batch import PaddedSequence
from models.pooling import masked_mean
from models.recurrent import RecurrentEncoder


class FrameSubnetwork(nn.Module):
    """Mean over the valid frames, batch normalisation, dropout and three layers with ReLU.

    Parameters
    ----------
    input_width : int
        Width of a frame, >= 1.
    width : int
        Width of the three layers, >= 1.
    dropout : float
        In front of the layers, in [0, 1).

    Notes
    -----
    Zadeh et al., TFN, EMNLP 2017, section 4.1. A row without any valid frame has the mean 0, which
    for standardised frames is that of the training split.
    """

    def __init__(self, *, input_width: int, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(input_width)
        self.layers = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(input_width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
        )

    def forward(self, sequence: PaddedSequence) -> Tensor:
        """Encode.

        Parameters
        ----------
        sequence : PaddedSequence
            B sequences of frames; a single one is normalised by what earlier batches told, in
            training too, since it has no variance.

        Returns
        -------
        Tensor, shape (B, width)
            One vector a row.
        """
        encoded: Tensor = self.layers(
            F.batch_norm(
                masked_mean(values=sequence.values, mask=sequence.mask),
                self.norm.running_mean,
                self.norm.running_var,
                self.norm.weight,
                self.norm.bias,
                training=self.training and len(sequence.mask) > 1,
            )
        )
        return encoded


class TextSubnetwork(nn.Sequential):
    """Last state of an LSTM, dropout and a linear layer.

    Parameters
    ----------
    input_width : int
        Width of a step, >= 1.
    state_width : int
        Width of the LSTM's state, >= 1.
    width : int
        Width of the vector, >= 1.
    dropout : float
        Of the state, in [0, 1).

    Notes
    -----
    Zadeh et al., TFN, EMNLP 2017, section 4.1. A row without any valid step has the state 0.
    """

    def __init__(self, *, input_width: int, state_width: int, width: int, dropout: float) -> None:
        super().__init__(
            RecurrentEncoder(input_width=input_width, width=state_width),
            nn.Dropout(dropout),
            nn.Linear(state_width, width),
        )


def fusion_head(*, source: int, width: int, dropout: float) -> nn.Sequential:
    """Build what predicts from a fused vector: dropout, two layers with ReLU, a linear one.

    Parameters
    ----------
    source, width : int
        Widths of the fused vector and of the layers.
    dropout : float
        Of the fused vector, in [0, 1).

    Returns
    -------
    nn.Sequential
        From (B, source) to (B,).
    """
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(source, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 1),
        nn.Flatten(0),
    )
