"""Concatenation: one vector of each modality, side by side, and nothing that would separate them.

The reference that disentangling models have to beat: an encoder of each modality, a fusion and the
task's loss, without any of the paper's terms. It has no paper.

=====================  ==================================================================
step                   code
=====================  ==================================================================
``Z_m``                :class:`models.frame_encoder.FrameEncoder`: a network on each frame
                       by itself, then the mean over valid frames
fusion, prediction     ``Linear(Dropout(ReLU(Linear([Z_T; Z_A; Z_V]))))``
error                  term ``task``
=====================  ==================================================================

MInD without disentanglement (``mind`` with ``disentangle: false``) is the same with MInD's
backbones, transformers over frames; this one is cheaper and knows nothing of the order of frames.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from models.base import Output, register
from models.baseline import Baseline, BaselineConfig
from models.batch import Batch
from models.class_output import last_layers, task_output
from models.frame_encoder import FrameEncoder


@dataclass(frozen=True, kw_only=True)
class ConcatConfig(BaselineConfig):
    """Hyper-parameters of :class:`Concat`, besides those of all baselines.

    Parameters
    ----------
    width : int
        Width d of a modality's vector and of the network on its frames.
    fusion_width : int
        Width of the layer behind the concatenation.
    dropout : float
        Inside the fusion, in [0, 1).

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    width: int = 64
    fusion_width: int = 128
    dropout: float = 0.1


@register
class Concat(Baseline):
    """Predict from the concatenated vectors of all modalities.

    Parameters
    ----------
    config : ConcatConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "concat"
    Config = ConcatConfig
    predicts_classes = True
    config: ConcatConfig

    def __init__(self, config: ConcatConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        width, hidden = self.config.width, self.config.fusion_width
        self.encoders = nn.ModuleDict(
            {
                name: FrameEncoder(input_width=size, width=width)
                for name, size in self.widths.items()
            }
        )
        self.fusion = nn.Sequential(
            nn.Linear(width * len(self.modalities), hidden),
            nn.ReLU(),
            nn.Dropout(self.config.dropout),
            *last_layers(width=hidden, classes=self.config.classes),
        )

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Parameters
        ----------
        batch : Batch
            B utterances, with at least the model's modalities.

        Returns
        -------
        Output
            With the part ``"Z"``.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        Z = {name: self.encoders[name](s) for name, s in self.read(batch).items()}
        return task_output(self.fusion(torch.cat(list(Z.values()), dim=1)), parts={"Z": Z})
