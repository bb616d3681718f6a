"""Each step of each modality split into what modalities share and what is its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.batch import PaddedSequence
from models.losses.label_margin import label_margin_loss
from models.losses.steps import step_orthogonality_loss, step_reconstruction_loss
from models.pooling import masked_mean

_KINDS = ("steps", "shared", "private")


@dataclass(frozen=True, kw_only=True, eq=False)
class DecoupledSteps:
    """Steps and their two codes.

    Parameters
    ----------
    steps, shared, private : dict of str to PaddedSequence
        Modality to B sequences of steps of width d; the masks of the three are the same.
    """

    steps: dict[str, PaddedSequence]
    shared: dict[str, PaddedSequence]
    private: dict[str, PaddedSequence]

    @property
    def there(self) -> dict[str, Tensor]:
        """Modality to bool (B,): whether a clip has any step of it."""
        return {name: sequence.mask.any(dim=1) for name, sequence in self.steps.items()}

    def means(self, kind: str) -> dict[str, Tensor]:
        """Average over the valid steps.

        Parameters
        ----------
        kind : {"steps", "shared", "private"}
            What to average.

        Returns
        -------
        dict of str to Tensor, shape (B, d)
            Modality to means; zeros for a clip without any step.
        """
        sequences: dict[str, PaddedSequence] = getattr(self, kind)
        return {
            name: masked_mean(values=sequence.values, mask=sequence.mask)
            for name, sequence in sequences.items()
        }

    def tensors(self) -> dict[str, Tensor]:
        """Put all into the extras of a model's output.

        Returns
        -------
        dict of str to Tensor
            What :meth:`of` takes.
        """
        values = {
            f"{kind}_{name}": sequence.values
            for kind in _KINDS
            for name, sequence in getattr(self, kind).items()
        }
        return values | {f"mask_{name}": sequence.mask for name, sequence in self.steps.items()}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], modalities: Iterable[str]) -> "DecoupledSteps":
        """Undo :meth:`tensors`.

        Parameters
        ----------
        tensors : mapping of str to Tensor
            With the keys that :meth:`tensors` gave.
        modalities : iterable of str
            The modalities.

        Returns
        -------
        DecoupledSteps
            The same values.
        """
        names = tuple(modalities)
        return cls(
            **{
                kind: {
                    name: PaddedSequence(
                        values=tensors[f"{kind}_{name}"], mask=tensors[f"mask_{name}"]
                    )
                    for name in names
                }
                for kind in _KINDS
            }
        )


class Decoupler(nn.Module):
    """One encoder for all modalities, one and a decoder for each, and four terms to train them.

    Parameters
    ----------
    shared : Module
        From a PaddedSequence of steps to values of the same shape.
    private : mapping of str to Module
        The same for each modality.
    width : int
        Width d of a step, >= 1.

    Notes
    -----
    Li et al., DMD, CVPR 2023, feature decoupling; the same terms are in Wang et al., DLF,
    AAAI 2025.
    """

    def __init__(self, *, shared: nn.Module, private: Mapping[str, nn.Module], width: int) -> None:
        super().__init__()
        self.shared = shared
        self.private = nn.ModuleDict(private)
        self.decoders = nn.ModuleDict(
            {name: nn.Linear(2 * width, width, bias=False) for name in private}
        )
        self.alignments = nn.ModuleDict({name: nn.Linear(width, width) for name in private})

    def forward(self, steps: Mapping[str, PaddedSequence]) -> DecoupledSteps:
        """Encode.

        Parameters
        ----------
        steps : mapping of str to PaddedSequence
            Modality to B sequences of steps of width d, valid ones first.

        Returns
        -------
        DecoupledSteps
            The steps and their codes, which are zeros where there is no step.
        """
        return DecoupledSteps(
            steps=dict(steps),
            shared={name: _apply(self.shared, sequence) for name, sequence in steps.items()},
            private={
                name: _apply(self.private[name], sequence) for name, sequence in steps.items()
            },
        )

    def decode(self, *, modality: str, shared: Tensor, private: Tensor) -> Tensor:
        """Rebuild steps, or, since decoders are linear, means of steps from means of codes.

        Parameters
        ----------
        modality : str
            Whose.
        shared, private : Tensor, shape (..., d)
            Codes.

        Returns
        -------
        Tensor, shape (..., d)
            Rebuilt steps.
        """
        rebuilt: Tensor = self.decoders[modality](torch.cat([private, shared], dim=-1))
        return rebuilt

    def terms(
        self, codes: DecoupledSteps, *, target: Tensor, has_target: Tensor, margin: float
    ) -> dict[str, Tensor]:
        """Compute the four terms.

        Parameters
        ----------
        codes : DecoupledSteps
            What :meth:`forward` returned.
        target : Tensor, shape (B,)
            Sentiment.
        has_target : Tensor of bool, shape (B,)
            Which clips have it.
        margin : float
            Of :func:`models.losses.label_margin.label_margin_loss`.

        Returns
        -------
        dict of str to Tensor
            ``reconstruction`` of steps, ``cycle``, the difference of private codes and of those of
            rebuilt steps, and ``orthogonality`` of the two codes, each summed over modalities; and
            ``margin`` on the means of shared codes.
        """
        each = [self._terms_of(name, codes) for name in codes.steps]
        terms = {name: torch.stack([term[name] for term in each]).sum() for name in each[0]}
        return terms | {"margin": self._margin(codes, target, has_target, margin)}

    def _terms_of(self, modality: str, codes: DecoupledSteps) -> dict[str, Tensor]:
        steps = codes.steps[modality]
        shared, private = codes.shared[modality].values, codes.private[modality].values
        values = self.decode(modality=modality, shared=shared, private=private)
        rebuilt = PaddedSequence(values=values, mask=steps.mask)
        again = _apply(self.private[modality], rebuilt)
        return {
            "reconstruction": step_reconstruction_loss(
                reconstruction=rebuilt.values, target=steps.values, mask=steps.mask
            ),
            "cycle": step_reconstruction_loss(
                reconstruction=again.values, target=private, mask=steps.mask
            ),
            "orthogonality": step_orthogonality_loss(x=shared, y=private, mask=steps.mask),
        }

    def _margin(
        self, codes: DecoupledSteps, target: Tensor, has_target: Tensor, margin: float
    ) -> Tensor:
        aligned = [self.alignments[name](mean) for name, mean in codes.means("shared").items()]
        known = torch.cat([there & has_target for there in codes.there.values()])
        labels = target.repeat(len(aligned))
        return label_margin_loss(
            codes=torch.cat(aligned)[known], labels=labels[known], margin=margin
        )


def _apply(encoder: nn.Module, sequence: PaddedSequence) -> PaddedSequence:
    encoded = encoder(sequence) * sequence.mask[..., None]
    return PaddedSequence(values=encoded, mask=sequence.mask)
