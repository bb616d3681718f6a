"""The six loss terms of MInD besides the task, with the networks that only they use."""

from collections.abc import Callable, Iterable
from itertools import combinations

import torch
from torch import Tensor, nn

from models.base import Output
from models.batch import Batch
from models.gradient_reversal import reverse_gradient
from models.losses.barlow import barlow_twins_loss
from models.losses.hsic import hsic
from models.losses.jsd import jsd_loss
from models.losses.reconstruction import reconstruction_loss
from models.losses.regression import regression_loss
from models.mind_config import MInDConfig
from models.mind_heads import StatisticsNetwork, decoder, regressor


def _mean(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).mean()


def _joint(part: dict[str, Tensor]) -> Tensor:
    return torch.cat(list(part.values()), dim=1)


class MInDTerms(nn.Module):
    """Losses on the parts S (shared), P (private), N (noise) and Z (unimodal vector).

    Each term is the mean over its modalities or pairs, so that a weight means the same for two
    modalities as for three. A batch of one row has neither negative pairs nor a covariance:
    ``info``, ``consistency`` and ``difference`` are 0 for it, with gradients of 0.

    Parameters
    ----------
    config : MInDConfig
        Hyper-parameters.
    modalities : tuple of str
        What there is. With a single one, ``consistency`` is left out and ``difference`` has no
        pair of modalities.
    """

    def __init__(self, config: MInDConfig, modalities: tuple[str, ...]) -> None:
        super().__init__()
        self.config = config
        self.modalities = modalities
        d, joint = config.width, config.width * len(modalities)

        def for_each_modality(build: Callable[[], nn.Module]) -> nn.ModuleDict:
            return nn.ModuleDict({name: build() for name in modalities})

        def statistics(source: int) -> nn.ModuleDict:
            hidden = config.statistics_width
            return for_each_modality(
                lambda: StatisticsNetwork(x_width=source, z_width=d, hidden=hidden)
            )

        self.shared_statistics = statistics(joint)
        self.private_statistics = statistics(d)
        self.noise_statistics = statistics(d)
        self.decoders = for_each_modality(
            lambda: decoder(source=3 * d, hidden=config.decoder_width, target=d)
        )
        self.features_to_noise = for_each_modality(
            lambda: decoder(source=2 * d, hidden=d, target=d)
        )
        self.noise_to_features = for_each_modality(
            lambda: decoder(source=d, hidden=2 * d, target=2 * d)
        )
        self.noise_classifier = regressor(
            source=joint, hidden=joint // 2, dropout=config.classifier_dropout
        )

    def forward(self, batch: Batch, output: Output, coefficient: float) -> dict[str, Tensor]:
        """Compute all terms.

        Parameters
        ----------
        batch : Batch
            What was predicted.
        output : Output
            With the parts ``"S"``, ``"P"``, ``"N"``, ``"Z"`` and, in ``extras["noise"]`` of shape
            (modalities, B, d), the noise that ``"N"`` was made from.
        coefficient : float
            Strength of the gradient reversal.

        Returns
        -------
        dict of str to Tensor
            ``noise_prediction``, ``info``, ``consistency``, ``difference``, ``reconstruction``
            and ``cyclic``, unweighted scalars.
        """
        S, P, N, Z = (output.parts[name] for name in "SPNZ")
        noise = dict(zip(self.modalities, output.extras["noise"], strict=True))
        terms = {
            "noise_prediction": self._noise_prediction(batch, N, coefficient),
            "info": self._info(S, P, N, Z, noise),
            "difference": self._difference(S, P, N),
            "reconstruction": self._reconstruction(S, P, N, Z),
            "cyclic": self._cyclic(S, P, N, coefficient),
        }
        if len(self.modalities) > 1:
            terms["consistency"] = self._consistency(S)
        return terms

    def _noise_prediction(self, batch: Batch, N: dict[str, Tensor], coefficient: float) -> Tensor:
        prediction = self.noise_classifier(
            reverse_gradient(tensor=_joint(N), coefficient=coefficient)
        )
        return regression_loss(
            prediction=prediction,
            target=batch.target,
            has_target=batch.has_target,
            kind=self.config.regression,
        )

    def _info(
        self,
        S: dict[str, Tensor],
        P: dict[str, Tensor],
        N: dict[str, Tensor],
        Z: dict[str, Tensor],
        noise: dict[str, Tensor],
    ) -> Tensor:
        joint = {name: _joint(Z) for name in self.modalities}
        families = (
            (self.shared_statistics, joint, S),
            (self.private_statistics, Z, P),
            (self.noise_statistics, noise, N),
        )
        return len(families) * _mean(
            jsd_loss(statistics=networks[name], x=x[name], z=z[name])
            for networks, x, z in families
            for name in self.modalities
        )

    def _consistency(self, S: dict[str, Tensor]) -> Tensor:
        weight = self.config.barlow_off_diagonal
        return _mean(
            barlow_twins_loss(a=a, b=b, off_diagonal_weight=weight)
            for a, b in combinations(S.values(), 2)
        )

    def _difference(
        self, S: dict[str, Tensor], P: dict[str, Tensor], N: dict[str, Tensor]
    ) -> Tensor:
        pairs = [(x[name], y[name]) for x, y in ((S, P), (S, N), (P, N)) for name in x]
        pairs += combinations(P.values(), 2)
        return _mean(hsic(x=x, y=y) for x, y in pairs)

    def _reconstruction(
        self,
        S: dict[str, Tensor],
        P: dict[str, Tensor],
        N: dict[str, Tensor],
        Z: dict[str, Tensor],
    ) -> Tensor:
        return _mean(
            reconstruction_loss(
                reconstruction=self.decoders[name](torch.cat([S[name], P[name], N[name]], dim=1)),
                target=Z[name].detach() if self.config.detach_reconstruction else Z[name],
            )
            for name in self.modalities
        )

    def _cyclic(
        self,
        S: dict[str, Tensor],
        P: dict[str, Tensor],
        N: dict[str, Tensor],
        coefficient: float,
    ) -> Tensor:
        errors = []
        for name in self.modalities:
            features = torch.cat([S[name], P[name]], dim=1)
            for networks, source, target in (
                (self.noise_to_features, N[name], features),
                (self.features_to_noise, features, N[name]),
            ):
                rebuilt = networks[name](reverse_gradient(tensor=source, coefficient=coefficient))
                target = target.detach() if self.config.detach_cyclic else target
                errors.append(reconstruction_loss(reconstruction=rebuilt, target=target))
        return _mean(errors)
