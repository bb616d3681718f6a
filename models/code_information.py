"""Upper bounds of what codes know of each other."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from models.conditional_gaussian import ConditionalGaussian
from models.losses.club import club_bound, club_learning_loss


class CodeInformation(nn.Module):
    """One estimator q(y|x) for each pair of codes.

    Parameters
    ----------
    pairs : tuple of pairs of str
        Names of the codes x and y.
    width : int
        Width of all codes.
    hidden : int
        Hidden width of the estimators.
    n_mi : int or None
        Rows that y is compared with, drawn at random; all of the batch if None.

    Notes
    -----
    Cheng et al., CLUB, ICML 2020.
    """

    def __init__(
        self, *, pairs: tuple[tuple[str, str], ...], width: int, hidden: int, n_mi: int | None
    ) -> None:
        super().__init__()
        self.pairs = pairs
        self.n_mi = n_mi
        self.estimators = nn.ModuleDict(
            {
                f"{x}_{y}": ConditionalGaussian(x_width=width, y_width=width, hidden=hidden)
                for x, y in pairs
            }
        )

    def forward(self, codes: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Estimate the mutual information of each pair; gradients reach the codes alone.

        Parameters
        ----------
        codes : mapping of str to Tensor, shape (B, width)
            Name to code.

        Returns
        -------
        dict of str to Tensor
            ``<x>_<y>`` to a scalar in nats, negative where the estimator is poor; 0 with a gradient
            of 0 for a single row.
        """
        bounds = {}
        for x, y in self.pairs:
            estimator = self.estimators[f"{x}_{y}"]
            frozen = {name: weight.detach() for name, weight in estimator.named_parameters()}
            mean, log_variance = functional_call(estimator, frozen, (codes[x],))
            bounds[f"{x}_{y}"] = club_bound(
                mean=mean, log_variance=log_variance, y=codes[y], others=self._drawn(codes[y])
            )
        return bounds

    def _drawn(self, code: Tensor) -> Tensor:
        if self.n_mi is None or self.n_mi >= len(code):
            return code
        return code[torch.randperm(len(code), device=code.device)[: self.n_mi]]

    def learning_loss(self, codes: Mapping[str, Tensor]) -> Tensor:
        """Sum of the losses that the estimators are fitted by.

        Parameters
        ----------
        codes : mapping of str to Tensor, shape (B, width)
            Name to code, detached.

        Returns
        -------
        Tensor
            Scalar.
        """
        losses = []
        for x, y in self.pairs:
            mean, log_variance = self.estimators[f"{x}_{y}"](codes[x])
            losses.append(club_learning_loss(mean=mean, log_variance=log_variance, y=codes[y]))
        return torch.stack(losses).sum()
