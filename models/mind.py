"""MInD: multimodal information disentanglement (Dai et al., arXiv 2401.11818).

====================  =========================================================================
paper                 code
====================  =========================================================================
backbones F^m         :class:`models.encoders.TextEncoder`,
                      :class:`models.encoders.SequenceEncoder`; with ``backbone: frames``, which is
                      ours, :class:`models.frame_encoder.FrameEncoder`
S_m, P_m, N_m         ``shared_encoder(Z_m)``, ``private_encoders[m](Z_m)`` and
                      ``private_encoders[m](G_m)`` with G_m ~ N(0, I)
eq. 5                 :func:`models.losses.jsd.jsd_loss`
eq. 6, L_Info         term ``info``
L_Cons                term ``consistency``, :func:`models.losses.barlow.barlow_twins_loss`
L_Diff                term ``difference``, :func:`models.losses.hsic.hsic`
eq. 13, L_Recon       term ``reconstruction``,
                      :func:`models.losses.reconstruction.reconstruction_loss`
L_CyR                 term ``cyclic``, behind :mod:`models.gradient_reversal`
L_NP                  term ``noise_prediction``, behind :mod:`models.gradient_reversal`
L_Task                term ``task``, :func:`models.losses.regression.regression_loss`
Table 2               :mod:`models.mind_ablations`
====================  =========================================================================

Where the paper and its authors' code differ, ``preset`` chooses (:mod:`models.mind_presets`):

====================  =======================  ========================  =====================
item                  ``paper``                ``author``, the default   here in both
====================  =======================  ========================  =====================
Barlow off-diagonal   d, an erratum?           1/d
L_Info, L_Cons,       sums; L_CyR of squared   means (1/3, 1/3, 1/12,
L_Diff, L_CyR         norms                    1/6)
statistics networks   one for P_m and N_m      separate
D_R, D_C              one for all modalities   one per modality
encoders              linear and GELU          2 linear, LayerNorm,
                                               dropout
data                  sequences of length L_m  aligned to words, <= 50   unaligned, with masks
padding               not stated               attended to               masked
task loss, MOSEI      mean error               MSE and clamped L1        ``regression``
checkpoint            not stated               validation Acc-2          validation MAE
====================  =======================  ========================  =====================

The preset ``strong`` is our own method and not MInD as published.

What the noise is not: G_m is drawn independently of the clip, so N_m holds nothing of it, whatever
the weights. What a speaker, a microphone or a background adds must stay in Z, S or P; that a probe
finds none of it in N_m is true by construction and no evidence that noise was isolated. With
``noise_source: input``, an extension of ours, N_m is made from Z_m and can hold it.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.base import Losses, Output, SentimentModel, register
from models.batch import Batch, PaddedSequence
from models.bert import BertTransformer
from models.class_output import scores_of, task_loss, task_output
from models.encoders import SequenceEncoder, TextEncoder
from models.errors import ModelError
from models.frame_encoder import FrameEncoder
from models.gradient_reversal import reversal_coefficient
from models.mind_config import MInDConfig
from models.mind_heads import code_encoder, regressor
from models.mind_terms import MInDTerms


@register
class MInD(SentimentModel):
    """Fuse shared and private codes of each modality, trained with seven loss terms.

    Inputs are expected to be standardised per feature. Gaussian noise is drawn in every forward
    pass, in evaluation too, from torch's global generator; the prediction does not depend on it.

    Parameters
    ----------
    config : MInDConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "mind"
    Config = MInDConfig
    predicts_classes = True
    config: MInDConfig

    def __init__(self, config: MInDConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        self.bert = (
            BertTransformer(self.config.text_model, max_pieces=self.config.max_pieces, pooler=False)
            if self.reads_token_ids and self.config.text_model is not None
            else None
        )
        self.backbones = nn.ModuleDict({name: self._backbone(name) for name in self.modalities})
        fused = self.config.width
        if self.config.disentangle:
            fused = sum(self.config.part_width(part) for part in self.config.features)
        self.fusion = nn.Linear(fused * len(self.modalities), self.config.fusion_width)
        self.classifier = regressor(
            source=self.config.fusion_width,
            hidden=self.config.fusion_width // 2,
            dropout=self.config.classifier_dropout,
            classes=self.config.classes,
        )
        if self.config.disentangle:
            self._build_codes()
            self.terms = MInDTerms(self.config, self.modalities)

    @property
    def reads_token_ids(self) -> bool:
        """Whether there is a BERT inside."""
        return self.config.text_model is not None and "text" in self.modalities

    def _backbone(self, modality: str) -> nn.Module:
        input_width = self.dimensions[modality]
        if modality == "text" and self.bert is not None:
            input_width = self.bert.width
        if self.config.backbone == "frames":
            width = self.config.width
            frames = FrameEncoder(input_width=input_width, width=width)
            return nn.Sequential(frames, nn.LayerNorm(width))
        if modality == "text":
            return TextEncoder(input_width=input_width, width=self.config.width)
        stride = {"audio": self.config.audio_stride, "vision": self.config.vision_stride}[modality]
        return SequenceEncoder(self.config, input_width=input_width, stride=stride)

    def _build_codes(self) -> None:
        if "S" in self.config.parts:
            self.shared_encoder = self._code_encoder("S")
        if "P" in self.config.parts or self.config.noise_source == "gaussian":
            self.private_encoders = nn.ModuleDict(
                {name: self._code_encoder("P") for name in self.modalities}
            )
        if self.config.noise_source == "input":
            self.noise_encoders = nn.ModuleDict(
                {name: self._code_encoder("N") for name in self.modalities}
            )

    def _code_encoder(self, part: str) -> nn.Module:
        return code_encoder(
            source=self.config.width,
            target=self.config.part_width(part),
            form=self.config.code_encoder,
            dropout=self.config.encoder_dropout,
        )

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Parameters
        ----------
        batch : Batch
            B utterances, with at least the model's modalities; with token ids for a
            ``text_model``.

        Returns
        -------
        Output
            With the configuration's ``parts`` and ``"Z"``, and Gaussian noise of shape
            (modalities, B, d) in ``extras["noise"]``; without disentanglement only ``"Z"``.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        self.require_modalities(batch)
        Z = {name: self.backbones[name](self._sequence(name, batch)) for name in self.modalities}
        if not self.config.disentangle:
            return task_output(self._predict(list(Z.values())), parts={"Z": Z})
        parts, extras = self._parts(Z)
        codes = [
            torch.zeros_like(code) if part == self.config.muted else code
            for part in self.config.features
            for code in parts[part].values()
        ]
        return task_output(self._predict(codes), parts=parts, extras=extras)

    def _sequence(self, modality: str, batch: Batch) -> PaddedSequence:
        if modality != "text" or self.bert is None:
            return batch.sequences[modality]
        text = self.bert.embed(batch)
        return PaddedSequence(values=self.bert.encode(text.values, text.mask), mask=text.mask)

    def _parts(
        self, Z: dict[str, Tensor]
    ) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
        parts, extras = {}, {}
        if self.config.noise_source == "gaussian":
            noise = {name: torch.randn_like(z) for name, z in Z.items()}
            extras["noise"] = torch.stack(list(noise.values()))
        if "S" in self.config.parts:
            parts["S"] = {name: self.shared_encoder(z) for name, z in Z.items()}
        if "P" in self.config.parts:
            parts["P"] = {name: self.private_encoders[name](z) for name, z in Z.items()}
        if self.config.noise_source == "gaussian":
            parts["N"] = {name: self.private_encoders[name](g) for name, g in noise.items()}
        if self.config.noise_source == "input":
            parts["N"] = {name: self.noise_encoders[name](z) for name, z in Z.items()}
        return parts | {"Z": Z}, extras

    def _predict(self, codes: list[Tensor]) -> Tensor:
        scores: Tensor = self.classifier(self.fusion(torch.cat(codes, dim=1)))
        return scores

    def decode(self, parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
        """Rebuild unimodal vectors from any codes.

        Parameters
        ----------
        parts : dict of str to dict of str to Tensor, shape (B, width of the part)
            The configuration's ``parts`` to modality to codes.

        Returns
        -------
        dict of str to Tensor, shape (B, d)
            Modality to vector Z_m.

        Raises
        ------
        ModelError
            If a part is missing, or nothing is disentangled.
        """
        if not self.config.disentangle:
            raise ModelError("model 'mind' with disentangle=False has no parts to decode")
        return self.terms.decode(parts)

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the task loss and the six others.

        Parameters
        ----------
        batch : Batch
            What was predicted; a batch without any target is legal.
        output : Output
            What :meth:`forward` returned for it.
        progress : float
            Share of the planned training that is done, 0 to 1; sets the strength of the gradient
            reversal and of a difference term that is warmed up.

        Returns
        -------
        Losses
            ``task``, ``noise_prediction``, ``info``, ``consistency``, ``difference``,
            ``reconstruction`` and ``cyclic``; without ``consistency`` for a single modality and
            terms of parts that are not there, and ``task`` alone without disentanglement.
        """
        task = task_loss(scores=scores_of(output), batch=batch, kind=self.config.regression)
        terms = {"task": task}
        if self.config.disentangle:
            scheduled = self.config.reversal == "schedule"
            coefficient = reversal_coefficient(progress=progress) if scheduled else 1.0
            terms |= self.terms(batch, output, coefficient)
        weights = {"task": 1.0} | self.config.term_weights
        if progress < self.config.difference_warm_up:
            weights["difference"] *= progress / self.config.difference_warm_up
        return Losses(terms=terms, weights={name: weights[name] for name in terms})
