"""Head from a vector to features and a score."""

from torch import Tensor, nn


class ScoreHead(nn.Module):
    """``F = ReLU(Linear(Dropout(x)))`` and the score ``Linear(ReLU(Linear(F)))``.

    Parameters
    ----------
    source, width : int
        Widths of the vector and of the features.
    dropout : float
        Of the vector, in [0, 1).

    Notes
    -----
    Yu et al., Self-MM, AAAI 2021: the heads of the fusion and of each modality.
    """

    def __init__(self, *, source: int, width: int, dropout: float) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Dropout(dropout), nn.Linear(source, width), nn.ReLU())
        self.score = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1), nn.Flatten(0)
        )

    def forward(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Score.

        Parameters
        ----------
        vector : Tensor, shape (B, source)
            Vectors.

        Returns
        -------
        features : Tensor, shape (B, width)
            F.
        score : Tensor, shape (B,)
            Sentiment.
        """
        features: Tensor = self.features(vector)
        return features, self.score(features)
