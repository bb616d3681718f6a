"""Labels of single modalities, generated from the distances of their features (ULGM)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_JOINT = "joint"


def relative_distance(
    *, features: Tensor, positive: Tensor, negative: Tensor, epsilon: float = 1e-8
) -> Tensor:
    """How much nearer features are to the positive centre than to the negative one.

    ``(D- - D+) / (D+ + epsilon)`` with Euclidean distances D to the two centres.

    Parameters
    ----------
    features : Tensor, shape (B, d)
        Features of B items.
    positive, negative : Tensor, shape (d,)
        Mean features of the items whose label is positive, and negative.
    epsilon : float
        Keeps the quotient finite, > 0.

    Returns
    -------
    Tensor, shape (B,)
        Above 0 on the positive side, below 0 on the other.

    Notes
    -----
    Yu et al., Self-MM, AAAI 2021, relative distance value of the unimodal label generation.
    """
    near: Tensor = torch.linalg.vector_norm(features - positive, dim=1)
    far: Tensor = torch.linalg.vector_norm(features - negative, dim=1)
    return (far - near) / (near + epsilon)


def generated_label(
    *, distance: Tensor, joint_distance: Tensor, target: Tensor, limit: float, epsilon: float = 1e-8
) -> tuple[Tensor, Tensor]:
    """Shift the label of an item by how far its modality leans away from the fusion.

    The mean of ``target * d_s / (d_M + epsilon)`` and ``target + d_s - d_M``, limited.

    Parameters
    ----------
    distance, joint_distance : Tensor, shape (B,)
        Relative distances d_s of the modality and d_M of the fusion.
    target : Tensor, shape (B,)
        Labels of the items.
    limit : float
        Largest magnitude of a label, > 0.
    epsilon : float
        Added to d_M, > 0. The quotient explodes where d_M is about 0; only the limit holds it.

    Returns
    -------
    label : Tensor, shape (B,)
        Labels of the modality, -limit to limit.
    clamped : Tensor of bool, shape (B,)
        Whether the limit decided.

    Notes
    -----
    Yu et al., Self-MM, AAAI 2021, shifting value of the unimodal label generation.
    """
    quotient = target * distance / (joint_distance + epsilon)
    label = 0.5 * quotient + 0.5 * (target + distance - joint_distance)
    return label.clamp(-limit, limit), label.abs() > limit


def momentum_update(*, label: Tensor, generated: Tensor, epoch: int) -> Tensor:
    """Average generated labels over epochs, later ones weighing more.

    ``(n - 1) / (n + 1) label + 2 / (n + 1) generated`` for the n-th epoch, from 1.

    Parameters
    ----------
    label, generated : Tensor, shape (B,)
        Labels so far and newly generated ones.
    epoch : int
        n, >= 2: nothing is generated in the first epoch.

    Returns
    -------
    Tensor, shape (B,)
        Labels from now on.

    Notes
    -----
    Yu et al., Self-MM, AAAI 2021, momentum-based update policy.
    """
    return (epoch - 1) / (epoch + 1) * label + 2 / (epoch + 1) * generated


class PseudoLabels(nn.Module):
    """Memory of features and unimodal labels of the training utterances, saved with the model.

    It grows with the positions that it is shown, so an utterance must keep its position
    (``Batch.index``) over all epochs. An utterance that was not seen yet has its own label for all
    modalities.

    Parameters
    ----------
    joint_width : int
        Width of the fusion's features.
    widths : mapping of str to int
        Modality to the width of its features.
    limit : float
        Largest magnitude of a label, > 0.
    exclude_zero : bool
        Whether items of label 0 are left out of the centres; else they count as positive.
    ratio_epsilon : float
        See :func:`generated_label`.
    """

    known: Tensor
    targets: Tensor

    def __init__(
        self,
        *,
        joint_width: int,
        widths: Mapping[str, int],
        limit: float,
        exclude_zero: bool,
        ratio_epsilon: float,
    ) -> None:
        super().__init__()
        self.widths = {_JOINT: joint_width, **widths}
        self.modalities = tuple(widths)
        self.limit = limit
        self.exclude_zero = exclude_zero
        self.ratio_epsilon = ratio_epsilon
        self.register_buffer("known", torch.zeros(0, dtype=torch.bool))
        self.register_buffer("targets", torch.zeros(0))
        for name in self.modalities:
            self.register_buffer(f"labels_{name}", torch.zeros(0))
            self.register_buffer(f"clamped_{name}", torch.zeros(0, dtype=torch.bool))
        for name, width in self.widths.items():
            self.register_buffer(f"features_{name}", torch.zeros(0, width))

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any, **named: Any
    ) -> None:
        """Take the size of what is loaded."""
        self._resize(len(state_dict.get(f"{prefix}known", self.known)))
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)

    def _resize(self, size: int) -> None:
        for name, buffer in list(self.named_buffers()):
            kept = buffer[:size]
            added = kept.new_zeros(size - len(kept), *kept.shape[1:])
            setattr(self, name, torch.cat([kept, added]))

    def lookup(self, *, index: Tensor, target: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Get the labels of some utterances.

        Parameters
        ----------
        index : Tensor of int64, shape (B,)
            Their positions.
        target : Tensor, shape (B,)
            Their own labels.

        Returns
        -------
        labels : dict of str to Tensor of shape (B,)
            By modality, without a graph.
        clamped : Tensor
            Share of their generated labels that the limit decided, a scalar.
        """
        if not len(self.known):
            return dict.fromkeys(self.modalities, target.detach()), target.new_zeros(())
        place = index.clamp(max=len(self.known) - 1)
        known = self.known[place] & (index < len(self.known))
        labels, clamped = {}, []
        for name in self.modalities:
            stored = self.get_buffer(f"labels_{name}")[place]
            labels[name] = torch.where(known, stored, target.detach())
            clamped.append((self.get_buffer(f"clamped_{name}")[place] & known).to(target.dtype))
        return labels, torch.stack(clamped).mean()

    @torch.no_grad()
    def update(
        self,
        *,
        index: Tensor,
        target: Tensor,
        joint: Tensor,
        features: Mapping[str, Tensor],
        epoch: int,
    ) -> None:
        """Generate labels from the centres so far, then remember the features.

        Parameters
        ----------
        index : Tensor of int64, shape (B,)
            Positions of labelled utterances.
        target : Tensor, shape (B,)
            Their labels.
        joint : Tensor, shape (B, joint_width)
            Their fused features.
        features : mapping of str to Tensor of shape (B, width)
            Modality to its features.
        epoch : int
            Epochs done, from 0; nothing is generated in the first.
        """
        if not len(index):
            return
        self._resize(max(len(self.known), int(index.max()) + 1))
        fresh = ~self.known[index]
        for name in self.modalities:
            labels = self.get_buffer(f"labels_{name}")
            labels[index] = torch.where(fresh, target, labels[index])
        if epoch > 0:
            self._generate(index, target, joint, features, epoch)
        self.known[index] = True
        self.targets[index] = target
        for name, values in {_JOINT: joint, **features}.items():
            self.get_buffer(f"features_{name}")[index] = values

    def _generate(
        self,
        index: Tensor,
        target: Tensor,
        joint: Tensor,
        features: Mapping[str, Tensor],
        epoch: int,
    ) -> None:
        joint_distance = self._distance(_JOINT, joint, self.targets)
        for name, values in features.items():
            labels = self.get_buffer(f"labels_{name}")
            distance = self._distance(name, values, labels)
            if distance is None or joint_distance is None:
                continue
            generated, clamped = generated_label(
                distance=distance,
                joint_distance=joint_distance,
                target=target,
                limit=self.limit,
                epsilon=self.ratio_epsilon,
            )
            labels[index] = momentum_update(
                label=labels[index], generated=generated, epoch=epoch + 1
            )
            self.get_buffer(f"clamped_{name}")[index] = clamped

    def _distance(self, name: str, features: Tensor, labels: Tensor) -> Tensor | None:
        """Relative distance, or None while one of the two classes has no item."""
        positive = self.known & (labels > 0 if self.exclude_zero else labels >= 0)
        negative = self.known & (labels < 0)
        if not (positive.any() and negative.any()):
            return None
        stored = self.get_buffer(f"features_{name}")
        return relative_distance(
            features=features,
            positive=stored[positive].mean(dim=0),
            negative=stored[negative].mean(dim=0),
        )
