"""MInD: multimodal information disentanglement (Dai et al., arXiv 2401.11818).

====================  =========================================================================
paper                 code
====================  =========================================================================
backbones F^m         :class:`models.encoders.TextEncoder`, :class:`models.encoders.SequenceEncoder`
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
====================  =========================================================================

Where the paper and its authors' code differ:

===================  ========================  ==========================  ====================
item                 paper                     authors' code               here
===================  ========================  ==========================  ====================
Barlow off-diagonal  d                         1/d                         1/d
L_Info, L_Cons,      sums                      means (1/3, 1/3, 1/12,      means
L_Diff, L_CyR                                  1/6)
statistics networks  one for P_m and N_m       separate                    separate
D_R, D_C             one symbol each           one per modality            one per modality
encoders             "simple linear" and GELU  2 linear, LayerNorm,        as the code
                                               dropout
data                 sequences of length L_m   aligned to words, <= 50     unaligned, with masks
padding              not stated                attended to                 masked
task loss, MOSEI     mean error                MSE and clamped L1          ``regression``
===================  ========================  ==========================  ====================

What the noise is not: G_m is drawn independently of the clip, so N_m holds nothing of it, whatever
the weights. What a speaker, a microphone or a background adds must stay in Z, S or P; that a probe
finds none of it in N_m is true by construction and no evidence that noise was isolated.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.base import Losses, Output, SentimentModel, register
from models.batch import Batch
from models.encoders import SequenceEncoder, TextEncoder
from models.gradient_reversal import reversal_coefficient
from models.losses.regression import regression_loss
from models.mind_config import MInDConfig
from models.mind_heads import code_encoder, regressor
from models.mind_terms import MInDTerms

_CLASSIFIER_WIDTH = 64


@register
class MInD(SentimentModel):
    """Fuse shared and private codes of each modality, trained with seven loss terms.

    Inputs are expected to be standardised per feature. The noise is drawn in every forward pass,
    in evaluation too, from torch's global generator; the prediction does not depend on it.

    Parameters
    ----------
    config : MInDConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities.
    """

    name = "mind"
    Config = MInDConfig
    config: MInDConfig

    def __init__(self, config: MInDConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        width = self.config.width
        self.backbones = nn.ModuleDict({name: self._backbone(name) for name in self.modalities})
        parts = 2 if self.config.disentangle else 1
        self.fusion = nn.Linear(parts * width * len(self.modalities), self.config.fusion_width)
        self.classifier = regressor(
            source=self.config.fusion_width,
            hidden=self.config.fusion_width // 2,
            dropout=self.config.classifier_dropout,
        )
        if self.config.disentangle:
            dropout = self.config.encoder_dropout
            self.shared_encoder = code_encoder(width=width, dropout=dropout)
            self.private_encoders = nn.ModuleDict(
                {name: code_encoder(width=width, dropout=dropout) for name in self.modalities}
            )
            self.terms = MInDTerms(self.config, self.modalities)

    def _backbone(self, modality: str) -> nn.Module:
        input_width = self.dimensions[modality]
        if modality == "text":
            return TextEncoder(input_width=input_width, width=self.config.width)
        stride = {"audio": self.config.audio_stride, "vision": self.config.vision_stride}[modality]
        return SequenceEncoder(self.config, input_width=input_width, stride=stride)

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Parameters
        ----------
        batch : Batch
            B utterances, with at least the model's modalities.

        Returns
        -------
        Output
            With the parts ``"S"``, ``"P"``, ``"N"`` and ``"Z"``, and the noise of shape
            (modalities, B, d) in ``extras["noise"]``; without disentanglement only ``"Z"``.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        self.require_modalities(batch)
        Z = {name: self.backbones[name](batch.sequences[name]) for name in self.modalities}
        if not self.config.disentangle:
            return Output(prediction=self._predict(list(Z.values())), parts={"Z": Z})
        noise = {name: torch.randn_like(z) for name, z in Z.items()}
        S = {name: self.shared_encoder(z) for name, z in Z.items()}
        P = {name: self.private_encoders[name](z) for name, z in Z.items()}
        N = {name: self.private_encoders[name](g) for name, g in noise.items()}
        parts = {"S": S, "P": P, "N": N, "Z": Z}
        codes = [
            torch.zeros_like(code) if part == self.config.muted else code
            for part in "SP"
            for code in parts[part].values()
        ]
        extras = {"noise": torch.stack(list(noise.values()))}
        return Output(prediction=self._predict(codes), parts=parts, extras=extras)

    def _predict(self, codes: list[Tensor]) -> Tensor:
        prediction: Tensor = self.classifier(self.fusion(torch.cat(codes, dim=1)))
        return prediction

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
            reversal.

        Returns
        -------
        Losses
            ``task``, ``noise_prediction``, ``info``, ``consistency``, ``difference``,
            ``reconstruction`` and ``cyclic``; without ``consistency`` for a single modality, and
            ``task`` alone without disentanglement.
        """
        task = regression_loss(
            prediction=output.prediction,
            target=batch.target,
            has_target=batch.has_target,
            kind=self.config.regression,
        )
        terms = {"task": task}
        if self.config.disentangle:
            terms |= self.terms(batch, output, reversal_coefficient(progress=progress))
        weights = {"task": 1.0} | self.config.term_weights
        return Losses(terms=terms, weights={name: weights[name] for name in terms})
