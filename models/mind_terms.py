"""The six loss terms of MInD besides the task, with the networks that only they use."""

from collections.abc import Callable, Iterable
from itertools import combinations

import torch
from torch import Tensor, nn

from models.base import Output
from models.batch import Batch
from models.class_output import task_loss
from models.errors import ModelError
from models.gradient_reversal import reverse_gradient
from models.losses.barlow import barlow_twins_loss
from models.losses.hsic import hsic, normalised_hsic, rbf_hsic
from models.losses.info_nce import info_nce_loss
from models.losses.jsd import jsd_loss
from models.losses.reconstruction import reconstruction_loss
from models.mind_config import MInDConfig
from models.mind_heads import StatisticsNetwork, decoder, regressor

Part = dict[str, Tensor]
Parts = dict[str, Part]

# The name of a network that is the same for all modalities.
_ALL = "all"


def _joint(part: Part) -> Tensor:
    return torch.cat(list(part.values()), dim=1)


class MInDTerms(nn.Module):
    """Losses on the parts S (shared), P (private), N (noise) and Z (unimodal vector).

    Unless ``reduction`` is ``sum``, each term is the mean over its modalities or pairs, so that a
    weight means the same for two modalities as for three. A batch of one row has neither negative
    pairs nor a covariance: ``info``, ``consistency`` and ``difference`` are 0 for it, with
    gradients of 0.

    Parameters
    ----------
    config : MInDConfig
        Hyper-parameters; terms without any of the ``parts`` that they are of are left out.
    modalities : tuple of str
        What there is. With a single one, ``consistency`` is left out and ``difference`` has no
        pair of modalities.
    """

    def __init__(self, config: MInDConfig, modalities: tuple[str, ...]) -> None:
        super().__init__()
        self.config = config
        self.modalities = modalities
        Z = config.width
        code = sum(config.part_width(part) for part in config.parts)
        features = sum(config.part_width(part) for part in config.features)
        N = config.part_width("N")
        if "S" in config.parts:
            self.shared_statistics = self._statistics(Z * len(modalities), "S")
        if "P" in config.parts:
            self.private_statistics = self._statistics(Z, "P")
        if "N" in config.parts and not self._shares_noise_statistics:
            self.noise_statistics = self._statistics(Z, "N")
        self.decoders = self._decoders(source=code, hidden=config.decoder_width, target=Z)
        if "N" in config.parts:
            self.features_to_noise = self._decoders(source=features, hidden=Z, target=N)
            self.noise_to_features = self._decoders(source=N, hidden=2 * Z, target=features)
            self.noise_classifier = regressor(
                source=N * len(modalities),
                hidden=max(N * len(modalities) // 2, 1),
                dropout=config.classifier_dropout,
                classes=config.classes,
            )

    @property
    def _shares_noise_statistics(self) -> bool:
        return self.config.share_noise_statistics and "P" in self.config.parts

    def _statistics(self, source: int, part: str) -> nn.ModuleDict:
        width, hidden = self.config.part_width(part), self.config.statistics_width
        return nn.ModuleDict(
            {
                name: StatisticsNetwork(x_width=source, z_width=width, hidden=hidden)
                for name in self.modalities
            }
        )

    def _decoders(self, *, source: int, hidden: int, target: int) -> nn.ModuleDict:
        names = (_ALL,) if self.config.share_decoders else self.modalities
        return nn.ModuleDict(
            {name: decoder(source=source, hidden=hidden, target=target) for name in names}
        )

    def _decoder(self, decoders: nn.ModuleDict, modality: str) -> nn.Module:
        return decoders[_ALL if self.config.share_decoders else modality]

    def _reduced(self, values: Iterable[Tensor]) -> Tensor:
        stacked = torch.stack(list(values))
        return stacked.sum() if self.config.reduction == "sum" else stacked.mean()

    def forward(self, batch: Batch, output: Output, coefficient: float) -> dict[str, Tensor]:
        """Compute all terms.

        Parameters
        ----------
        batch : Batch
            What was predicted.
        output : Output
            With the configuration's ``parts`` and ``"Z"`` and, in ``extras["noise"]`` of shape
            (modalities, B, d), the Gaussian noise that ``"N"`` was made from, if it was.
        coefficient : float
            Strength of the gradient reversal.

        Returns
        -------
        dict of str to Tensor
            ``noise_prediction``, ``info``, ``consistency``, ``difference``, ``reconstruction``
            and ``cyclic``, unweighted scalars, without those that there are no parts for.
        """
        parts = output.parts
        Z = parts["Z"]
        terms = {}
        if "N" in parts:
            terms["noise_prediction"] = self._noise_prediction(batch, parts["N"], coefficient)
        terms["info"] = self._info(parts, self._noise(output))
        pairs = self._different(parts)
        if pairs:
            terms["difference"] = self._reduced(self._hsic(x, y) for x, y in pairs)
        rebuilt = self.decode(parts)
        terms["reconstruction"] = self._reduced(
            reconstruction_loss(
                reconstruction=rebuilt[name],
                target=Z[name].detach() if self.config.detach_reconstruction else Z[name],
            )
            for name in self.modalities
        )
        if "N" in parts:
            terms["cyclic"] = self._cyclic(parts, coefficient)
        if "S" in parts and len(self.modalities) > 1:
            terms["consistency"] = self._consistency(parts["S"])
        return terms

    def decode(self, parts: Parts) -> Part:
        """Rebuild unimodal vectors from codes.

        Parameters
        ----------
        parts : dict of str to dict of str to Tensor, shape (B, width of the part)
            The configuration's ``parts`` to modality to codes.

        Returns
        -------
        dict of str to Tensor, shape (B, d)
            Modality to vector.

        Raises
        ------
        ModelError
            If a part is missing.
        """
        missing = [part for part in self.config.parts if part not in parts]
        if missing:
            raise ModelError(
                f"decoding needs the parts {list(self.config.parts)}, {missing} are missing from "
                f"{sorted(parts)}"
            )
        return {
            name: self._decoder(self.decoders, name)(
                torch.cat([parts[part][name] for part in self.config.parts], dim=1)
            )
            for name in self.modalities
        }

    def _noise(self, output: Output) -> Part:
        """Look up what N was made from."""
        if "noise" not in output.extras:
            return output.parts["Z"]
        return dict(zip(self.modalities, output.extras["noise"], strict=True))

    def _noise_prediction(self, batch: Batch, N: Part, coefficient: float) -> Tensor:
        scores = self.noise_classifier(reverse_gradient(tensor=_joint(N), coefficient=coefficient))
        kind = self.config.regression
        return task_loss(scores=scores, batch=batch, kind="mse" if kind == "mse_l1" else kind)

    def _info(self, parts: Parts, noise: Part) -> Tensor:
        Z = parts["Z"]
        families: list[tuple[nn.ModuleDict, Part, Part]] = []
        if "S" in parts:
            families.append(
                (self.shared_statistics, dict.fromkeys(self.modalities, _joint(Z)), parts["S"])
            )
        if "P" in parts:
            families.append((self.private_statistics, Z, parts["P"]))
        if "N" in parts:
            shared = self._shares_noise_statistics
            networks = self.private_statistics if shared else self.noise_statistics
            families.append((networks, noise, parts["N"]))
        return self._reduced(
            torch.stack(
                [self._jsd(networks[name], x[name], z[name]) for networks, x, z in families]
            ).sum()
            for name in self.modalities
        )

    def _jsd(self, statistics: Callable[[Tensor, Tensor], Tensor], x: Tensor, z: Tensor) -> Tensor:
        shift = 1
        if self.config.negatives == "random" and len(x) > 2:
            shift = int(torch.randint(1, len(x), ()))
        return jsd_loss(statistics=statistics, x=x, z=z, shift=shift)

    def _consistency(self, S: Part) -> Tensor:
        pairs = combinations(S.values(), 2)
        if self.config.consistency == "info_nce":
            temperature = self.config.temperature
            return self._reduced(info_nce_loss(a=a, b=b, temperature=temperature) for a, b in pairs)
        weight = self._off_diagonal_weight
        return self._reduced(
            barlow_twins_loss(a=a, b=b, off_diagonal_weight=weight) for a, b in pairs
        )

    @property
    def _off_diagonal_weight(self) -> float:
        weight, width = self.config.barlow_off_diagonal, self.config.shared_width
        if isinstance(weight, str):
            return {"inverse_width": 1.0 / width, "width": float(width)}[weight]
        return weight

    def _different(self, parts: Parts) -> list[tuple[Tensor, Tensor]]:
        """Pairs of codes that are kept apart."""
        families = [("S", "P"), ("S", "N"), ("P", "N")]
        whole = self.config.difference_pairs == "all"
        pairs = [
            (parts[one][name], parts[other][name])
            for one, other in (families if whole else families[:1])
            if one in parts and other in parts
            for name in self.modalities
        ]
        if whole and "P" in parts:
            pairs += combinations(parts["P"].values(), 2)
        return pairs

    def _hsic(self, x: Tensor, y: Tensor) -> Tensor:
        criterion = rbf_hsic if self.config.difference_kernel == "rbf" else hsic
        if self.config.difference_normalised:
            return normalised_hsic(x=x, y=y, criterion=criterion)
        return criterion(x=x, y=y)

    def _cyclic(self, parts: Parts, coefficient: float) -> Tensor:
        errors = []
        for name in self.modalities:
            features = torch.cat([parts[part][name] for part in self.config.features], dim=1)
            noise = parts["N"][name]
            for networks, source, target in (
                (self.noise_to_features, noise, features),
                (self.features_to_noise, features, noise),
            ):
                reversed_ = reverse_gradient(tensor=source, coefficient=coefficient)
                rebuilt = self._decoder(networks, name)(reversed_)
                target = target.detach() if self.config.detach_cyclic else target
                error = reconstruction_loss(reconstruction=rebuilt, target=target)
                norm = self.config.reduction == "sum"
                errors.append(error * target.shape[1] if norm else error)
        return self._reduced(errors)
