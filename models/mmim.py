"""MMIM: hierarchical maximisation of mutual information (Han et al., EMNLP 2021).

==========================  ==================================================================
paper                       code
==========================  ==================================================================
x_t, x_v, x_a               ``MMIM._encode``, part ``"Z"``: BERT's [CLS], and the last states of
                            a bidirectional LSTM behind a linear layer
fusion network, Z           ``fusion``, ``extras["fusion"]``
prediction                  ``head``
inter-modality level:       ``information``,
q(y|x), H(Y)                :class:`models.pair_information.PairInformation`
L_lld, first stage          ``MMIM.estimator_loss``, for the parameters of q alone, in steps of
                            its own: :func:`models.estimators.fit_estimators`
L_BA, second stage          terms ``negative_log_likelihood`` and, with a negative weight,
                            ``entropy``, for all but the parameters of q
fusion level: G, L_CPC      ``predictors``, linear; term ``contrast``, sum over modalities of
                            :func:`models.losses.contrastive_prediction.contrastive_prediction_loss`
L_task                      term ``task``
total                       task + ``contrast_weight`` L_CPC + ``bound_weight`` L_BA
==========================  ==================================================================

Where the authors' code, MMSA's version of it, and this differ:

====================  =============================  ===========================================
item                  authors' code                  here
====================  =============================  ===========================================
log q(y|x)            without the logarithm of the   with it, variances from 1/e to e; without
                      variance                       it the largest variance is the likeliest
                                                     and the term fades away
stages                an epoch of the first, then    ``estimator_steps`` of the first after each
                      one of the second; of MOSEI    step of the second
                      half an epoch of the first
H(Y)                  constants left out, from the   with constants; variances have a floor
                      third batch on
memory of H(Y)        the batch before, emptied      the ``history`` labelled utterances before,
                      after each epoch               saved with the model
directions of H(Y)    parameters that no optimiser   buffers
                      has
initial weights       Xavier                         PyTorch's
LSTM                  one direction by default,      both, as in MMSA
                      both in MMSA
dropout of the LSTM   settings, without effect for   none
                      one layer
weight decay          in the gradient, of q too      AdamW's, decoupled; q has none
text                  BERT, fine-tuned               the same with ``text_model``, else the mean
                                                     of stored features
frames                each one a step of the LSTM    ``audio_stride`` and ``vision_stride``
                                                     averaged into one; gaps left out
====================  =============================  ===========================================
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import Losses, Output, register
from models.baseline import Baseline, BaselineConfig
from models.batch import Batch, PaddedSequence
from models.bidirectional_lstm import BidirectionalLSTM
from models.losses.contrastive_prediction import contrastive_prediction_loss
from models.pair_information import PairInformation
from models.pooling import average_windows, masked_mean
from models.recurrent import gather_valid


@dataclass(frozen=True, kw_only=True)
class MMIMConfig(BaselineConfig):
    """Hyper-parameters of :class:`MMIM`, besides those of all baselines.

    The defaults are those that MMSA publishes, the same for all data sets.

    Parameters
    ----------
    audio_stride, vision_stride : int
        Frames averaged into one step of an LSTM, >= 1.
    state_width : int
        Width of an LSTM's state in one direction, >= 1.
    code_width : int
        Width of x_a and x_v, >= 1.
    fusion_width : int
        Width of Z, >= 1.
    dropout : float
        Of x_t, x_v and x_a in front of the fusion, in [0, 1).
    contrast_weight : float
        Weight alpha of L_CPC, >= 0.
    bound_weight : float
        Weight beta of L_BA, >= 0.
    vision_to_audio : bool
        Whether there is a q of audio given video besides those given text.
    entropy_width : int
        Random directions that the entropy is of, >= 1.
    history : int
        Labelled utterances before a batch that the entropy is of too, >= 0.
    estimator_steps : int
        Steps of q after each step of the model, >= 1.
    estimator_learning_rate : float
        Of q's Adam, > 0.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    audio_stride: int = 8
    vision_stride: int = 2
    state_width: int = 16
    code_width: int = 16
    fusion_width: int = 128
    dropout: float = 0.1
    contrast_weight: float = 0.1
    bound_weight: float = 0.1
    vision_to_audio: bool = False
    entropy_width: int = 4
    history: int = 32
    estimator_steps: int = 1
    estimator_learning_rate: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.history < 0 or self.estimator_steps < 1:
            raise ValueError(
                f"history must be >= 0 and estimator_steps >= 1, got {self.history} and "
                f"{self.estimator_steps}"
            )


@register
class MMIM(Baseline):
    """Fusion that tells of each modality, and modalities that tell of each other.

    Parameters
    ----------
    config : MMIMConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``. Without text modalities tell of each other with ``vision_to_audio`` alone.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "mmim"
    Config = MMIMConfig
    config: MMIMConfig

    def __init__(self, config: MMIMConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        settings = self.config
        self.estimator_steps = settings.estimator_steps
        self.estimator_learning_rate = settings.estimator_learning_rate
        self.encoders = nn.ModuleDict(
            {name: self._encoder(name) for name in self.modalities if name != "text"}
        )
        widths = {
            name: size if name == "text" else settings.code_width
            for name, size in self.widths.items()
        }
        pairs = self._pairs()
        self.information = (
            PairInformation(
                pairs=pairs,
                widths=widths,
                entropy_width=settings.entropy_width,
                history=settings.history,
            )
            if pairs
            else None
        )
        inside = settings.fusion_width
        self.fusion = nn.Sequential(
            nn.Dropout(settings.dropout),
            nn.Linear(sum(widths.values()), inside),
            nn.Tanh(),
            nn.Linear(inside, inside),
            nn.Tanh(),
        )
        self.head = nn.Sequential(nn.Linear(inside, 1), nn.Flatten(0))
        self.predictors = nn.ModuleDict(
            {name: nn.Linear(inside, size) for name, size in widths.items()}
        )

    def _encoder(self, modality: str) -> nn.Module:
        stride = {"audio": self.config.audio_stride, "vision": self.config.vision_stride}
        return nn.Sequential(
            _BothEnds(
                input_width=self.dimensions[modality],
                width=self.config.state_width,
                stride=stride[modality],
            ),
            nn.Linear(2 * self.config.state_width, self.config.code_width),
        )

    def _pairs(self) -> tuple[tuple[str, str], ...]:
        wanted = [("text", "vision"), ("text", "audio")]
        if self.config.vision_to_audio:
            wanted.append(("vision", "audio"))
        return tuple(pair for pair in wanted if set(pair) <= set(self.modalities))

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
            With the part ``"Z"``, the vectors x_m, and the fused vector in ``extras["fusion"]``.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        Z = {name: self._encode(name, s) for name, s in self.read(batch).items()}
        fused = self.fusion(torch.cat(list(Z.values()), dim=1))
        return Output(prediction=self.head(fused), parts={"Z": Z}, extras={"fusion": fused})

    def _encode(self, modality: str, sequence: PaddedSequence) -> Tensor:
        if modality != "text":
            vector: Tensor = self.encoders[modality](sequence)
            return vector
        if self.reads_token_ids:
            return sequence.values[:, 0]
        return masked_mean(values=sequence.values, mask=sequence.mask)

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the error of the task and the bounds of both levels.

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
            ``task``, ``contrast`` and, if there are pairs of modalities,
            ``negative_log_likelihood`` and ``entropy``.
        """
        task = super().losses(batch, output, progress)
        Z, fused = output.parts["Z"], output.extras["fusion"]
        contrasts = [
            contrastive_prediction_loss(codes=Z[name], predicted=predictor(fused))
            for name, predictor in self.predictors.items()
        ]
        terms = {"contrast": torch.stack(contrasts).sum()}
        weights = {"contrast": self.config.contrast_weight}
        if self.information is not None:
            terms["negative_log_likelihood"] = self.information.negative_log_likelihood(Z)
            terms["entropy"] = self.information.entropy(Z, _known_target(batch))
            weights["negative_log_likelihood"] = self.config.bound_weight
            weights["entropy"] = -self.config.bound_weight
        return Losses(terms=task.terms | terms, weights=task.weights | weights)

    def estimator_parameters(self) -> list[nn.Parameter]:
        """Name the parameters of q; see :class:`models.base.SentimentModel`.

        Returns
        -------
        list of Parameter
            None if there are no pairs of modalities.
        """
        return [] if self.information is None else list(self.information.parameters())

    def estimator_loss(self, batch: Batch, output: Output) -> Tensor | None:
        """Compute the loss that q is fitted by.

        Parameters
        ----------
        batch : Batch
            Not used; unlabelled utterances count too.
        output : Output
            What :meth:`forward` returned for it, detached.

        Returns
        -------
        Tensor or None
            Scalar; None if there are no pairs of modalities.
        """
        return (
            None if self.information is None else self.information.learning_loss(output.parts["Z"])
        )

    def after_step(self, batch: Batch, output: Output, epoch: int) -> None:
        """Remember the labelled utterances for the entropy of the next batch.

        Parameters
        ----------
        batch : Batch
            The batch.
        output : Output
            What :meth:`forward` returned for it, detached.
        epoch : int
            Not used.
        """
        if self.information is not None:
            self.information.remember(output.parts["Z"], _known_target(batch))

    def parameter_groups(self, learning_rate: float) -> Iterable[dict[str, Any]]:
        """Give a BERT a rate of its own, and leave the estimators out.

        Parameters
        ----------
        learning_rate : float
            The run's base rate, > 0.

        Returns
        -------
        iterable of dict
            All other parameters, and the BERT's if there is one.
        """
        apart = {id(parameter) for parameter in self.estimator_parameters()}
        return [
            {**group, "params": [p for p in group["params"] if id(p) not in apart]}
            for group in super().parameter_groups(learning_rate)
        ]


class _BothEnds(nn.Module):
    """Last states of an LSTM in both directions, over the valid steps alone."""

    def __init__(self, *, input_width: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.lstm = BidirectionalLSTM(input_width=input_width, width=width)

    def forward(self, sequence: PaddedSequence) -> Tensor:
        """Encode; zeros for a row without any step."""
        values, mask = average_windows(values=sequence.values, mask=sequence.mask, size=self.stride)
        values, lengths = gather_valid(values=values, mask=mask)
        # an LSTM refuses sequences of no steps
        values = F.pad(values, (0, 0, 0, int(not values.shape[1])))
        last: Tensor = self.lstm(values, lengths)[1]
        return last


def _known_target(batch: Batch) -> Tensor:
    """Sentiment, 0 where there is no label: of neither class."""
    return torch.where(batch.has_target, batch.target, torch.zeros_like(batch.target))
