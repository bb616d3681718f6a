"""What DMD and DLF have in common."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.base import Losses, Output
from models.baseline import Baseline
from models.batch import Batch, PaddedSequence
from models.crossmodal import CrossmodalTransformer
from models.decoupled_config import DecoupledConfig
from models.decoupler import DecoupledSteps, Decoupler
from models.last_step import last_step
from models.losses.regression import regression_loss
from models.residual_head import HeadOutput, ResidualHead
from models.temporal_convolution import TemporalConvolution


class DecoupledBaseline(Baseline):
    """Steps split into shared and private codes, both attended to, gated and fused.

    Subclasses give the encoders, say what the private codes' transformers make of them, and
    finish the prediction with :meth:`fuse`.

    Parameters
    ----------
    config : DecoupledConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    Config = DecoupledConfig
    config: DecoupledConfig

    def __init__(self, config: DecoupledConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        settings, width = self.config, self.config.step_width
        self.text_dropout = nn.Dropout(settings.text_dropout)
        self.convolutions = nn.ModuleDict(
            {
                name: TemporalConvolution(
                    input_width=size,
                    width=width,
                    kernel=self._setting(name, "kernel"),
                    stride=1 if name == "text" else self._setting(name, "stride"),
                )
                for name, size in self.widths.items()
            }
        )
        self.decoupler = Decoupler(
            shared=self._encoder(None),
            private={name: self._encoder(name) for name in self.modalities},
            width=width,
        )
        self.shared_attention = nn.ModuleDict(
            {name: self._transformer(name, settings.self_attention_layers) for name in self.widths}
        )
        joint = width * len(self.modalities)
        self.shared_head = self._head(joint)
        self.private_heads = nn.ModuleDict(
            {name: self._head(self._private_width) for name in self.modalities}
        )
        self.gates = nn.ModuleDict(
            {name: nn.Linear(self._private_width, self._private_width) for name in self.modalities}
        )
        self.shared_gate = nn.Linear(joint, joint)
        self.head = self._head(joint + self._private_width * len(self.modalities))

    @property
    @abstractmethod
    def _private_width(self) -> int:
        """Width of what the transformers make of a modality's private codes."""

    @abstractmethod
    def _encoder(self, modality: str | None) -> nn.Module:
        """Make the encoder of a modality's private codes, or of the shared ones for None."""

    def _setting(self, modality: str, name: str) -> Any:
        return getattr(self.config, f"{modality}_{name}")

    def _head(self, width: int) -> ResidualHead:
        return ResidualHead(width=width, dropout=self.config.output_dropout)

    def _transformer(
        self, modality: str, layers: int, width: int | None = None
    ) -> CrossmodalTransformer:
        return CrossmodalTransformer(
            self.config,
            width=self.config.step_width if width is None else width,
            layers=layers,
            attention_dropout=self._setting(modality, "attention_dropout"),
        )

    def decouple(self, batch: Batch) -> DecoupledSteps:
        """Split the steps of a batch.

        Parameters
        ----------
        batch : Batch
            B utterances, with at least the model's modalities; with token ids for a
            ``text_model``.

        Returns
        -------
        DecoupledSteps
            Convolved steps and their codes.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        sequences = self.read(batch)
        if "text" in sequences:
            text = sequences["text"]
            sequences["text"] = PaddedSequence(
                values=self.text_dropout(text.values), mask=text.mask
            )
        codes: DecoupledSteps = self.decoupler(
            {name: self.convolutions[name](sequence) for name, sequence in sequences.items()}
        )
        return codes

    def scored(self, codes: DecoupledSteps) -> dict[str, Tensor]:
        """Tell which clips the private heads can say something of.

        Parameters
        ----------
        codes : DecoupledSteps
            From :meth:`decouple`.

        Returns
        -------
        dict of str to Tensor of bool, shape (B,)
            Modality to the clips that have it.
        """
        return codes.there

    def fuse(
        self,
        codes: DecoupledSteps,
        private: Mapping[str, Tensor],
        heads: Mapping[str, HeadOutput],
    ) -> Output:
        """Gate what became of the codes and predict from it.

        Parameters
        ----------
        codes : DecoupledSteps
            From :meth:`decouple`.
        private : mapping of str to Tensor
            Modality to what is gated.
        heads : mapping of str to HeadOutput
            Modality to what its private head says.

        Returns
        -------
        Output
            With the parts ``"S"``, ``"P"`` and ``"Z"``, means over steps, and all that
            :meth:`losses` needs.
        """
        shared = torch.cat(
            [
                last_step(values=self.shared_attention[name](sequence), mask=sequence.mask)
                for name, sequence in codes.shared.items()
            ],
            dim=1,
        )
        gated = [torch.sigmoid(self.gates[name](vector)) for name, vector in private.items()]
        gated.append(torch.sigmoid(self.shared_gate(shared)))
        scores = {f"private_score_{name}": found.score for name, found in heads.items()}
        return Output(
            prediction=self.head(torch.cat(gated, dim=1)).score,
            parts={
                "S": codes.means("shared"),
                "P": codes.means("private"),
                "Z": codes.means("steps"),
            },
            extras={"shared_score": self.shared_head(shared).score, **scores, **codes.tensors()},
        )

    def decode(self, parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
        """Rebuild the mean step from any shared and private codes.

        Parameters
        ----------
        parts : dict of str to dict of str to Tensor, shape (B, step_width)
            ``"S"`` and ``"P"`` to modality to codes, which need not belong to the same utterances.

        Returns
        -------
        dict of str to Tensor, shape (B, step_width)
            Modality to the rebuilt part ``"Z"``.
        """
        return {
            name: self.decoupler.decode(
                modality=name, shared=parts["S"][name], private=parts["P"][name]
            )
            for name in self.modalities
        }

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the errors of all heads and the terms of the decoupling.

        Parameters
        ----------
        batch : Batch
            What was predicted; a batch without any target is legal, and trains the rest.
        output : Output
            What :meth:`forward` returned for it.
        progress : float
            Not used.

        Returns
        -------
        Losses
            ``task``, ``shared_task``, ``private_task_<modality>``, ``reconstruction``, ``cycle``,
            ``orthogonality`` and ``margin``. A modality's own error is one over the clips that
            :meth:`scored` says.
        """
        codes = DecoupledSteps.of(output.extras, self.modalities)
        task = super().losses(batch, output, progress)
        everyone = torch.ones_like(batch.has_target)
        tasks = {"shared_task": self.task_error(batch, output.extras["shared_score"], everyone)}
        for name, there in self.scored(codes).items():
            score = output.extras[f"private_score_{name}"]
            tasks[f"private_task_{name}"] = self.task_error(batch, score, there)
        terms = self.decoupler.terms(
            codes,
            target=batch.target,
            has_target=batch.has_target,
            margin=self.config.label_margin,
        )
        weights = {name: float(getattr(self.config, f"{name}_weight")) for name in terms}
        return Losses(
            terms=task.terms | tasks | terms,
            weights=task.weights | dict.fromkeys(tasks, 1.0) | weights,
        )

    def task_error(self, batch: Batch, score: Tensor, there: Tensor) -> Tensor:
        """Compute the error of a head.

        Parameters
        ----------
        batch : Batch
            What was predicted.
        score : Tensor, shape (B,)
            What the head says.
        there : Tensor of bool, shape (B,)
            The clips that it can say something of.

        Returns
        -------
        Tensor
            Scalar; 0 with a gradient of 0 if none of them has a target.
        """
        return regression_loss(
            prediction=score,
            target=batch.target,
            has_target=batch.has_target & there,
            kind=self.config.regression,
        )
