"""MulT: crossmodal transformers over unaligned sequences (Tsai et al., ACL 2019).

===============================  ================================================================
paper                            code
===============================  ================================================================
eq. 1, temporal convolutions     :class:`models.temporal_convolution.TemporalConvolution`
eq. 2, positions                 :func:`models.transformer.sinusoidal_positions`
section 3.1, crossmodal          :class:`models.crossmodal.CrossmodalLayer`
attention, eq. 4
section 3.2, crossmodal          ``crossmodal``, ``<source>_to_<target>``, a
transformers                     :class:`models.crossmodal.CrossmodalTransformer` for each ordered
                                 pair of modalities
section 3.2, self-attention      ``self_attention``, over the steps of a target side by side
last elements                    :func:`models.crossmodal.retold_last_step`, part ``"Z"``
prediction                       ``block`` around a residual, ``output``
loss                             term ``task``
===============================  ================================================================

Where paper, authors' code and this differ:

====================  =============================  ============================================
item                  paper | authors' code          here
====================  =============================  ============================================
mask of the future    not in the equations | on, by  on, by true lengths; ``future_mask``
                      padded lengths
padding               not said | looked at, and the  never looked at; the last element is the last
                      last element is padding        valid one
short sequences       no such case                   one window that ends in zeros
width of features     always convolved | not if it   always convolved
                      is d already
positions             from 0 | from 1, none where    from 0, everywhere
                      the first channel is 0
depth of              as all | at least 3            ``self_attention_layers``
self-attention
CTC alignment         compared with | in the code    none
text                  GloVe | stored features        stored features, or a BERT with
                                                     ``text_model``
frames                each one a step                ``audio_stride`` and ``vision_stride``
                                                     averaged into one; gaps left out
initial weights       not said | Xavier over the     Xavier, queries apart from keys and values
                      joint matrix
optimiser             Adam                           AdamW: weight decay is decoupled
fewer modalities      no such case                   two: nothing is put side by side; one:
                                                     self-attention alone
====================  =============================  ============================================

Attention costs memory in proportion to the product of two sequences' steps, in twelve places a
layer: long recordings want larger strides.
"""

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import torch
from torch import nn

from models.base import Output, register
from models.baseline import Baseline
from models.batch import Batch, PaddedSequence
from models.class_output import task_output
from models.crossmodal import CrossmodalTransformer, retold_last_step
from models.mult_config import MulTConfig
from models.temporal_convolution import TemporalConvolution


@register
class MulT(Baseline):
    """Every modality is retold by every other, step by step, and the last steps predict.

    Parameters
    ----------
    config : MulTConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "mult"
    Config = MulTConfig
    predicts_classes = True
    config: MulTConfig

    def __init__(self, config: MulTConfig | None, dimensions: Mapping[str, int]) -> None:
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
        self.crossmodal = nn.ModuleDict(
            {
                f"{source}_to_{target}": CrossmodalTransformer(
                    settings,
                    width=width,
                    layers=settings.layers,
                    attention_dropout=self._setting(source, "attention_dropout"),
                )
                for source, target in permutations(self.modalities, 2)
            }
        )
        inside = width * max(1, len(self.modalities) - 1)
        self.self_attention = nn.ModuleDict(
            {
                name: CrossmodalTransformer(
                    settings,
                    width=inside,
                    layers=settings.self_attention_layers,
                    attention_dropout=settings.text_attention_dropout,
                )
                for name in self.modalities
            }
        )
        joint = inside * len(self.modalities)
        self.block = nn.Sequential(
            nn.Linear(joint, joint),
            nn.ReLU(),
            nn.Dropout(settings.output_dropout),
            nn.Linear(joint, joint),
        )
        self.output = nn.Linear(joint, max(1, len(settings.classes)))

    def _setting(self, modality: str, name: str) -> Any:
        return getattr(self.config, f"{modality}_{name}")

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
            With the part ``"Z"``, the last steps of the modalities.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        steps = {name: self._convolve(name, s) for name, s in self.read(batch).items()}
        Z = {
            name: retold_last_step(
                target=name,
                steps=steps,
                crossmodal=self.crossmodal,
                self_attention=self.self_attention[name],
            )
            for name in self.modalities
        }
        joint = torch.cat(list(Z.values()), dim=1)
        scores = self.output(self.block(joint) + joint)
        return task_output(scores if self.config.classes else scores.squeeze(1), parts={"Z": Z})

    def _convolve(self, modality: str, sequence: PaddedSequence) -> PaddedSequence:
        if modality == "text":
            dropped = self.text_dropout(sequence.values)
            sequence = PaddedSequence(values=dropped, mask=sequence.mask)
        steps: PaddedSequence = self.convolutions[modality](sequence)
        return steps
