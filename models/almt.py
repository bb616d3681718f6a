"""ALMT: language says what to take from audio and video (Zhang et al., EMNLP 2023).

=====================================  =========================================================
paper                                  code
=====================================  =========================================================
modality embedding, H_m^1 of U_m       ``embeddings``,
                                       :class:`models.modality_embedding.ModalityEmbedding`
two more scales of language, H_l^i     ``language``, :class:`models.attention_layer.AttentionLayer`
alpha, beta, H_hyper^j                 ``hyper_layers``,
                                       :class:`models.hyper_modality.HyperModalityLayer`
H_hyper^0                              ``hyper``
fusion, CrossTrans                     ``ALMT._fuse``: queries of H_l, keys and values of H_hyper
prediction                             ``output`` on the token in front; ``readout``
loss, squared error                    term ``task``
=====================================  =========================================================

Where paper, authors' code and this differ:

====================  ==============================  ===========================================
item                  paper | authors' code           here
====================  ==============================  ===========================================
H_hyper^j             added to H_hyper^(j-1) | added  added to H_hyper^(j-1)
                      to its LayerNorm
padding               not said | looked at            never looked at
positions of frames   not said | learned, for as      sines and cosines, for any length
                      many as the data set has
positions of tokens   not said | learned, beside      learned; the token of an embedding or of the
                      the tokens                      fusion is one parameter with its position
LayerNorms            not said | one each for         one for queries, one for keys and values
                      queries, keys and values
text                  BERT | BERT, all at one rate    the same with ``text_model``, else stored
                                                      features
frames                each one a step                 ``audio_stride`` and ``vision_stride``
                                                      averaged into one
a clip without a      no such case                    nothing of it is added to H_hyper
modality
without text          no such case                    the first modality takes its place
one modality          no such case                    H_hyper is taken from this one
schedule              warm-up and cosine, 200 epochs  the run's
reported results      each metric of its best epoch   all of one epoch, chosen on validation
====================  ==============================  ===========================================

In the fusion the tokens of H_l look at H_hyper and not at each other. The one in front, the only
one that the prediction reads, has therefore seen nothing of H_l: in the authors' code, and here,
what is said reaches the prediction as the queries of H_hyper alone. ``readout: mean`` reads all
tokens.

The part ``"Z"`` is the mean of the tokens of H_m^1; nothing is split into shared and private.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.almt_config import ALMTConfig
from models.attention_layer import AttentionLayer
from models.base import Output, register
from models.baseline import Baseline
from models.batch import Batch
from models.hyper_modality import HyperModalityLayer
from models.modality_embedding import ModalityEmbedding


@register
class ALMT(Baseline):
    """Language at several scales fills a hyper-modality from the others, and is fused with it.

    Parameters
    ----------
    config : ALMTConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "almt"
    Config = ALMTConfig
    config: ALMTConfig

    def __init__(self, config: ALMTConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        settings = self.config
        self.guide, *others = self.modalities
        self.embeddings = nn.ModuleDict(
            {
                name: ModalityEmbedding(settings, input_width=size, stride=self._stride(name))
                for name, size in self.widths.items()
            }
        )
        self.language_positions = nn.Parameter(torch.randn(settings.tokens, settings.width))
        self.language = self._layers(settings.hyper_layers - 1)
        self.hyper = nn.Parameter(torch.ones(settings.tokens, settings.width))
        self.hyper_layers = nn.ModuleList(
            HyperModalityLayer(settings, sources=others or [self.guide])
            for _ in range(settings.hyper_layers)
        )
        self.target_positions = nn.Parameter(torch.randn(settings.tokens + 1, settings.width))
        self.source_positions = nn.Parameter(torch.randn(settings.tokens + 1, settings.width))
        self.fusion = self._layers(settings.fusion_layers)
        self.output = nn.Linear(settings.width, 1)

    def _stride(self, modality: str) -> Any:
        return 1 if modality == "text" else getattr(self.config, f"{modality}_stride")

    def _layers(self, count: int) -> nn.ModuleList:
        settings = self.config
        return nn.ModuleList(
            AttentionLayer(
                width=settings.width,
                heads=settings.heads,
                head_width=settings.head_width,
                feedforward_width=settings.feedforward_width,
                dropout=settings.dropout,
            )
            for _ in range(count)
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
            With the part ``"Z"``; zeros for a modality that a clip lacks.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        sequences = self.read(batch)
        tokens = {name: self.embeddings[name](s) for name, s in sequences.items()}
        present = {name: s.mask.any(dim=1) for name, s in sequences.items()}
        scales = self._scales(tokens[self.guide])
        hyper = self.hyper.expand_as(scales[0])
        for layer, guide in zip(self.hyper_layers, scales, strict=True):
            hyper = layer(hyper, guide, tokens, present)
        Z = {name: values.mean(dim=1) * present[name][:, None] for name, values in tokens.items()}
        fused = self._fuse(scales[-1], hyper)
        return Output(prediction=self.output(fused).squeeze(1), parts={"Z": Z})

    def _scales(self, tokens: Tensor) -> list[Tensor]:
        """Language as it is embedded and behind each further layer."""
        scales = [tokens + self.language_positions]
        for layer in self.language:
            scales.append(layer(scales[-1]))
        return scales

    def _fuse(self, language: Tensor, hyper: Tensor) -> Tensor:
        """Let language, and a token in front of it, look at the hyper-modality."""
        target, source = (
            nn.functional.pad(values, (0, 0, 1, 0)) + positions
            for values, positions in (
                (language, self.target_positions),
                (hyper, self.source_positions),
            )
        )
        if self.config.readout == "token":
            target = target[:, :1]  # tokens do not see each other: the others change nothing
        for layer in self.fusion:
            target = layer(target, source)
        return target.mean(dim=1)
