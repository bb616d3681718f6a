"""TFN: tensor fusion network (Zadeh et al., EMNLP 2017).

==========================  ===============================================================
paper                       code
==========================  ===============================================================
4.1, embedding subnetworks  :class:`models.tfn_subnetworks.TextSubnetwork` and
                            :class:`models.tfn_subnetworks.FrameSubnetwork`
4.2, eq. of z^m             :func:`tensor_fusion`: ``[1; z_T] x [1; z_A] x [1; z_V]``
4.3, inference network      :func:`models.tfn_subnetworks.fusion_head`
4.3, -3 to 3                ``TFN.forward``: ``limit * (2 sigmoid(x) - 1)``
error                       term ``task``
==========================  ===============================================================

Where the paper, MMSA and this differ:

====================  =====================  ==========================  =====================
item                  paper                  MMSA                        here
====================  =====================  ==========================  =====================
text                  GloVe, 300 wide        stored BERT features        the same, or a BERT
                                                                         with ``text_model``
text's network        LSTM, two layers       LSTM, one linear layer      as MMSA
mean over frames      all                    padding counts              valid frames alone
LSTM                  not stated             runs on over padding        last valid step
``text_dropout``      .15, all networks      published, but switched     0; a value is applied
                                             off for LSTMs of one layer  to the state
layers of fusion      two of 128             two of ``fusion_width``     as MMSA
error                 squared                absolute                    ``regression``
labels beyond 3, or   not reached            not reached                 not reached; an
at it                                                                    ``output_limit`` of
                                                                         one's own
fewer modalities      their own product      an error                    their own product
last batch of one     not stated             an error of the             running statistics
                                             normalisation
====================  =====================  ==========================  =====================

The first layer behind the product has as many weights as the product of all widths: 9 million at
the defaults, nearly all of the model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor

from models.base import Output, register
from models.batch import Batch
from models.subnetwork_baseline import SubnetworkBaseline, SubnetworkConfig
from models.tfn_subnetworks import fusion_head


def tensor_fusion(*, vectors: Sequence[Tensor]) -> Tensor:
    """Outer product of vectors that a 1 is put in front of.

    Parameters
    ----------
    vectors : sequence of Tensor, shape (B, d_m)
        One a modality, at least one.

    Returns
    -------
    Tensor, shape (B, prod(d_m + 1))
        All products of one value of each, the last modality's index running fastest; the first is
        1, and among them are the vectors themselves and the products of any two.

    Notes
    -----
    Zadeh et al., TFN, EMNLP 2017, section 4.2.
    """
    fused, *others = (F.pad(vector, (1, 0), value=1.0) for vector in vectors)
    for vector in others:
        fused = torch.einsum("bi,bj->bij", fused, vector).flatten(1)
    return fused


@dataclass(frozen=True, kw_only=True)
class TFNConfig(SubnetworkConfig):
    """Hyper-parameters of :class:`TFN`, besides those of the small networks.

    The defaults are those published for CMU-MOSI by MMSA; ``configs/tfn_*.yaml`` has those for
    other data sets too.

    Parameters
    ----------
    fusion_width : int
        Width of the two layers behind the product.
    output_limit : float
        Largest magnitude of a prediction, which is approached and never reached, > 0.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    fusion_width: int = 64
    output_limit: float = 3.0


@register
class TFN(SubnetworkBaseline):
    """Predict from all products of one value of each modality.

    Parameters
    ----------
    config : TFNConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "tfn"
    Config = TFNConfig
    config: TFNConfig

    def __init__(self, config: TFNConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        self.head = fusion_head(
            source=prod(width + 1 for width in self.vector_widths.values()),
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
        score = self.head(tensor_fusion(vectors=list(Z.values())))
        prediction = self.config.output_limit * (2.0 * score.sigmoid() - 1.0)
        return Output(prediction=prediction, parts={"Z": Z})
