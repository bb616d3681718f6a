"""What the vector of one modality tells of another's, by a likelihood and an entropy."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from models.conditional_gaussian import ConditionalGaussian
from models.losses.club import club_learning_loss
from models.losses.gaussian_entropy import gaussian_entropy


class PairInformation(nn.Module):
    """Both parts of the Barber-Agakov bound ``I(X; Y) >= E log q(y|x) + H(Y)``, for some pairs.

    The entropy is of two classes of utterances, those with a target above and below 0, over the
    batch and the utterances before it. It is not that of y but of a few fixed random directions of
    it, behind a tanh, so that the two parts together bound nothing: they are regularisers.

    Parameters
    ----------
    pairs : tuple of pairs of str
        Names of x and y.
    widths : mapping of str to int
        Name to the width of its vectors.
    entropy_width : int
        Directions of y that the entropy is of, >= 1.
    history : int
        Utterances that are remembered for the entropy, >= 0.

    Notes
    -----
    Han et al., MMIM, EMNLP 2021, inter-modality level.
    """

    history_target: Tensor

    def __init__(
        self,
        *,
        pairs: tuple[tuple[str, str], ...],
        widths: Mapping[str, int],
        entropy_width: int,
        history: int,
    ) -> None:
        super().__init__()
        self.pairs = pairs
        self.estimators = nn.ModuleDict(
            {
                f"{x}_{y}": ConditionalGaussian(
                    x_width=widths[x], y_width=widths[y], hidden=widths[y]
                )
                for x, y in pairs
            }
        )
        # a target of 0 belongs to neither class, nor does a row that was not filled yet
        self.register_buffer("history_target", torch.zeros(history))
        self.remembered = sorted({y for _, y in pairs})
        for name in self.remembered:
            self.register_buffer(f"history_{name}", torch.zeros(history, widths[name]))
        for x, y in pairs:
            directions = nn.Linear(widths[y], entropy_width)
            self.register_buffer(f"directions_{x}_{y}", directions.weight.detach())
            self.register_buffer(f"offsets_{x}_{y}", directions.bias.detach())

    def negative_log_likelihood(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Compute how unlikely the estimators find y; gradients reach the vectors alone.

        Parameters
        ----------
        vectors : mapping of str to Tensor, shape (B, width)
            Name to vectors.

        Returns
        -------
        Tensor
            Mean over rows of ``-log q(y|x)`` in nats, less its constant, summed over pairs.
        """
        return self._negative_log_likelihood(vectors, frozen=True)

    def learning_loss(self, vectors: Mapping[str, Tensor]) -> Tensor:
        """Compute the same, with gradients to the estimators.

        Parameters
        ----------
        vectors : mapping of str to Tensor, shape (B, width)
            Name to vectors, detached.

        Returns
        -------
        Tensor
            Scalar.
        """
        return self._negative_log_likelihood(vectors, frozen=False)

    def _negative_log_likelihood(self, vectors: Mapping[str, Tensor], *, frozen: bool) -> Tensor:
        losses = []
        for x, y in self.pairs:
            estimator = self.estimators[f"{x}_{y}"]
            weights = {
                name: weight.detach() if frozen else weight
                for name, weight in estimator.named_parameters()
            }
            mean, log_variance = functional_call(estimator, weights, (vectors[x],))
            losses.append(club_learning_loss(mean=mean, log_variance=log_variance, y=vectors[y]))
        return torch.stack(losses).sum() / 2.0

    def entropy(self, vectors: Mapping[str, Tensor], target: Tensor) -> Tensor:
        """Compute the entropy of y; gradients reach the vectors of this batch.

        Parameters
        ----------
        vectors : mapping of str to Tensor, shape (B, width)
            Name to vectors.
        target : Tensor, shape (B,)
            Sentiment; 0 for utterances that are to be left out.

        Returns
        -------
        Tensor
            Mean over the two classes, in nats, summed over pairs; a class of fewer than two
            utterances counts as 0.
        """
        targets = torch.cat([self.history_target, target])
        entropies: list[Tensor] = []
        for x, y in self.pairs:
            rows = torch.cat([self.get_buffer(f"history_{y}"), vectors[y]])
            directions = self.get_buffer(f"directions_{x}_{y}")
            projected = torch.tanh(rows @ directions.T + self.get_buffer(f"offsets_{x}_{y}"))
            entropies.extend(
                gaussian_entropy(codes=projected[members]) for members in (targets > 0, targets < 0)
            )
        return torch.stack(entropies).sum() / 2.0

    @torch.no_grad()
    def remember(self, vectors: Mapping[str, Tensor], target: Tensor) -> None:
        """Keep the utterances of a batch in the place of the oldest ones.

        Parameters
        ----------
        vectors : mapping of str to Tensor, shape (B, width)
            Name to vectors.
        target : Tensor, shape (B,)
            Sentiment; utterances of 0 are not kept.
        """
        rows, kept = target != 0, len(self.history_target)
        self.history_target = torch.cat([target[rows], self.history_target])[:kept]
        for name in self.remembered:
            before = self.get_buffer(f"history_{name}")
            setattr(self, f"history_{name}", torch.cat([vectors[name][rows], before])[:kept])
