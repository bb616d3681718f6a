"""Gaussian conditional q(y|x) of a variational bound."""

from torch import Tensor, nn


class ConditionalGaussian(nn.Module):
    """Mean and logarithm of the variances of y, each from x by one hidden layer.

    The logarithms go through a tanh, so that each variance lies between 1/e and e.

    Parameters
    ----------
    x_width, y_width : int
        Widths of the two codes.
    hidden : int
        Width of both hidden layers.

    Notes
    -----
    Cheng et al., CLUB, ICML 2020, as the authors of MIRD set it up.
    """

    def __init__(self, *, x_width: int, y_width: int, hidden: int) -> None:
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(x_width, hidden), nn.ReLU(), nn.Linear(hidden, y_width))
        self.log_variance = nn.Sequential(
            nn.Linear(x_width, hidden), nn.ReLU(), nn.Linear(hidden, y_width), nn.Tanh()
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Predict the distribution of y.

        Parameters
        ----------
        x : Tensor, shape (B, x_width)
            Codes.

        Returns
        -------
        mean : Tensor, shape (B, y_width)
            Means.
        log_variance : Tensor, shape (B, y_width)
            Logarithms of the variances, -1 to 1.
        """
        return self.mean(x), self.log_variance(x)
