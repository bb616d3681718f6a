"""The small networks of MInD between the backbones and its losses."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.class_output import last_layers


def code_encoder(*, source: int, target: int, form: str, dropout: float) -> nn.Sequential:
    """Build a shared, private or noise encoder E.

    Parameters
    ----------
    source, target : int
        Widths of its input and of the code.
    form : {"perceptron", "linear", "bottleneck"}
        Two linear maps, each with GELU, and LayerNorm and dropout between them, as in the authors'
        code; a linear map with GELU, as in the paper; or two linear maps of which the second,
        which may be narrow, has no GELU, so that no half of a code's range is lost.
    dropout : float
        Dropout before the second linear map.

    Returns
    -------
    nn.Sequential
        From (B, source) to (B, target).
    """
    if form == "linear":
        return nn.Sequential(nn.Linear(source, target), nn.GELU())
    layers = [
        nn.Linear(source, source),
        nn.GELU(),
        nn.LayerNorm(source),
        nn.Dropout(dropout),
        nn.Linear(source, target),
    ]
    return nn.Sequential(*layers, nn.GELU()) if form == "perceptron" else nn.Sequential(*layers)


def decoder(*, source: int, hidden: int, target: int) -> nn.Sequential:
    """Build a reconstruction decoder D_R or a cyclic decoder D_C.

    Parameters
    ----------
    source, hidden, target : int
        Widths of its input, its hidden layer and its output.

    Returns
    -------
    nn.Sequential
        From (B, source) to (B, target).
    """
    return nn.Sequential(nn.Linear(source, hidden), nn.GELU(), nn.Linear(hidden, target))


def regressor(
    *, source: int, hidden: int, dropout: float, classes: Sequence[str] = ()
) -> nn.Sequential:
    """Build the classifier G or the noise classifier G_N, with one output for a score.

    Parameters
    ----------
    source, hidden : int
        Widths of its input and its hidden layer.
    dropout : float
        Dropout before the activation.
    classes : sequence of str
        Names of classes, if some are predicted.

    Returns
    -------
    nn.Sequential
        From (B, source) to (B,), or to one score a class.
    """
    return nn.Sequential(
        nn.Linear(source, hidden),
        nn.Dropout(dropout),
        nn.GELU(),
        *last_layers(width=hidden, classes=classes),
    )


class StatisticsNetwork(nn.Module):
    """Statistics network T of a mutual information estimate: two hidden layers on x and z.

    Parameters
    ----------
    x_width, z_width : int
        Widths of its inputs.
    hidden : int
        Width of both hidden layers.
    """

    def __init__(self, *, x_width: int, z_width: int, hidden: int) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(x_width + z_width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
            nn.Flatten(0),
        )

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Score pairs.

        Parameters
        ----------
        x : Tensor, shape (B, x_width)
            What a code was made from.
        z : Tensor, shape (B, z_width)
            The code.

        Returns
        -------
        Tensor, shape (B,)
            Scores, higher for pairs that belong together.
        """
        scores: Tensor = self.network(torch.cat([x, z], dim=1))
        return scores
