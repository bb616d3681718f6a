"""LF-DNN: late fusion of one vector a modality, as MMSA has it (after Cambria et al., 2017).

==========================  ===============================================================
paper                       code
==========================  ===============================================================
features of a modality      :class:`models.tfn_subnetworks.TextSubnetwork` and
                            :class:`models.tfn_subnetworks.FrameSubnetwork`
concatenation, fusion       :func:`models.tfn_subnetworks.fusion_head`
error                       term ``task``
==========================  ===============================================================

Where MMSA and this differ (the paper fuses utterance vectors by an SVM; MMSA's is the form that is
quoted):

====================  ==============================  ========================================
item                  MMSA                            here
====================  ==============================  ========================================
mean over frames      padding counts                  valid frames alone
LSTM                  runs on over padding            last valid step
``text_dropout``      published, but switched off     0; a value is applied to the state
                      for LSTMs of one layer
weight decay          Adam's, in the gradient         AdamW's, decoupled; see the configuration
last batch of one     an error of the normalisation   running statistics
text                  stored BERT features            the same, or a BERT with ``text_model``
====================  ==============================  ========================================
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from models.base import Output, register
from models.batch import Batch
from models.subnetwork_baseline import SubnetworkBaseline, SubnetworkConfig
from models.tfn_subnetworks import fusion_head


@dataclass(frozen=True, kw_only=True)
class LFDNNConfig(SubnetworkConfig):
    """Hyper-parameters of :class:`LFDNN`, besides those of the small networks.

    The defaults are those published for CMU-MOSI; ``configs/lf_dnn_*.yaml`` has those for other
    data sets too.

    Parameters
    ----------
    fusion_width : int
        Width of the two layers behind the concatenation.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    text_width: int = 256
    audio_width: int = 16
    audio_dropout: float = 0.2
    vision_dropout: float = 0.2
    fusion_dropout: float = 0.2
    fusion_width: int = 128


@register
class LFDNN(SubnetworkBaseline):
    """Predict from the concatenated vectors of small networks.

    Parameters
    ----------
    config : LFDNNConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "lf_dnn"
    Config = LFDNNConfig
    config: LFDNNConfig

    def __init__(self, config: LFDNNConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        self.head = fusion_head(
            source=sum(self.vector_widths.values()),
            width=self.config.fusion_width,
            dropout=self.config.fusion_dropout,
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
        Z = self.encode(batch)
        return Output(prediction=self.head(torch.cat(list(Z.values()), dim=1)), parts={"Z": Z})
