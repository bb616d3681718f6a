"""LMF: low-rank multimodal fusion (Liu et al., ACL 2018).

==========================  ===============================================================
paper                       code
==========================  ===============================================================
z_m, subnetworks of TFN     :class:`models.tfn_subnetworks.TextSubnetwork` and
                            :class:`models.tfn_subnetworks.FrameSubnetwork`
eq. 1, 2: h = W Z + b       not computed; what :func:`low_rank_fusion` equals
eq. 4: W of rank r          ``LMF.factors``, ``LMF.rank_weights``
eq. 6, h                    :func:`low_rank_fusion`
error                       term ``task``
==========================  ===============================================================

Where the paper, MMSA and this differ:

====================  =====================  ==========================  =====================
item                  paper                  MMSA                        here
====================  =====================  ==========================  =====================
sum over the rank     plain                  weighted by learned         weighted
                                             weights
width of h            a width, then a layer  1, the prediction           1, the prediction
text                  GloVe, 300 wide        stored BERT features        the same, or a BERT
                                                                         with ``text_model``
mean over frames      not stated             padding counts              valid frames alone
LSTM                  not stated             runs on over padding        last valid step
``text_dropout``      searched               published, but switched     0; a value is applied
                                             off for LSTMs of one layer  to the state
dropout of fusion     none                   published, never applied    0; a value is applied
                                                                         to the vectors
width of text         searched               half of the LSTM's state    the same, a setting
factors at the start  Glorot's               Glorot's                    the same, those of the
                                                                         1s are 1
fewer modalities      their own product      an error                    their own product
last batch of one     not stated             an error of the             running statistics
                                             normalisation
====================  =====================  ==========================  =====================

It is TFN with one linear layer behind the product, whose weights are a tensor of rank r, and so
costs the sum of the widths instead of their product. TFN's two further layers it has not, so that
it is no approximation of the TFN that is registered here. With factors of the 1s that start near 0,
like all others, the product of three modalities starts near 0 and so do all gradients: from there,
eight utterances take more than twice the steps to be learned by heart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import Output, register
from models.batch import Batch
from models.subnetwork_baseline import SubnetworkBaseline, SubnetworkConfig


def low_rank_fusion(
    *, vectors: Sequence[Tensor], factors: Sequence[Tensor], rank_weights: Tensor
) -> Tensor:
    """Contract the outer product of vectors with a tensor of low rank, without making either.

    Parameters
    ----------
    vectors : sequence of Tensor, shape (B, d_m)
        One a modality, at least one; a 1 is put in front of each.
    factors : sequence of Tensor, shape (r, d_m + 1)
        Factors of the tensor, in the order of ``vectors``.
    rank_weights : Tensor, shape (r,)
        Weights of the r outer products of factors that add up to the tensor.

    Returns
    -------
    Tensor, shape (B,)
        ``sum_k weight_k prod_m (factor_km . [1; vector_m])``.

    Notes
    -----
    Liu et al., LMF, ACL 2018, eq. 6, with weights for each k.
    """
    projected = [
        F.pad(vector, (1, 0), value=1.0) @ factor.T
        for vector, factor in zip(vectors, factors, strict=True)
    ]
    return torch.stack(projected).prod(dim=0) @ rank_weights


@dataclass(frozen=True, kw_only=True)
class LMFConfig(SubnetworkConfig):
    """Hyper-parameters of :class:`LMF`, besides those of the small networks.

    The defaults are those published for CMU-MOSI by MMSA; ``configs/lmf_*.yaml`` has those for
    other data sets too.

    Parameters
    ----------
    rank : int
        Rank r of the fusion's tensor, >= 1.
    factor_rate : float
        Learning rate of the factors in units of the run's, > 0.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    text_width: int = 64
    audio_width: int = 16
    fusion_dropout: float = 0.0
    rank: int = 3
    factor_rate: float = 1.0


@register
class LMF(SubnetworkBaseline):
    """Predict by a polylinear map of low rank of the modalities' vectors.

    Parameters
    ----------
    config : LMFConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "lmf"
    Config = LMFConfig
    config: LMFConfig

    def __init__(self, config: LMFConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        rank = self.config.rank
        self.dropout = nn.Dropout(self.config.fusion_dropout)
        self.factors = nn.ParameterDict(
            {name: _normal(rank, width + 1) for name, width in self.vector_widths.items()}
        )
        with torch.no_grad():
            for factor in self.factors.values():
                factor[:, 0] = 1.0
        self.rank_weights = nn.Parameter(_normal(1, rank).detach()[0])
        self.bias = nn.Parameter(torch.zeros(()))

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
        fused = low_rank_fusion(
            vectors=[self.dropout(vector) for vector in Z.values()],
            factors=[self.factors[name] for name in Z],
            rank_weights=self.rank_weights,
        )
        return Output(prediction=fused + self.bias, parts={"Z": Z})

    def parameter_groups(self, learning_rate: float) -> Iterable[dict[str, Any]]:
        """Give the factors, and a BERT, rates of their own.

        Parameters
        ----------
        learning_rate : float
            The run's base rate, > 0.

        Returns
        -------
        iterable of dict
            Groups of the rest, of the BERT if there is one, and of the factors.
        """
        factors = list(self.factors.parameters())
        apart = {id(parameter) for parameter in factors}
        groups = [
            {**group, "params": [p for p in group["params"] if id(p) not in apart]}
            for group in super().parameter_groups(learning_rate)
        ]
        return [*groups, {"params": factors, "lr": self.config.factor_rate * learning_rate}]


def _normal(rows: int, columns: int) -> nn.Parameter:
    """Glorot's normal initialisation."""
    return nn.Parameter(nn.init.xavier_normal_(torch.empty(rows, columns)))
