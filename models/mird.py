"""MIRD: mutual information-based representations disentanglement (arXiv 2409.12408).

=====================  ========================================================================
paper                  code
=====================  ========================================================================
z^S, z^L, z^A, z^V     :class:`models.mird_encoders.MIRDEncoders`: pooled behind WSA, by a second
                       text encoder, by :class:`models.recurrent.RecurrentEncoder`
WSA                    :class:`models.wsa.WordwiseAttention` between the embeddings of
                       :class:`models.bert.BertTransformer` and its layers
decoders, L_rec^m      :class:`models.mird_decoders.MIRDDecoders` on [z^S; z^m]
CLUB, six pairs        :class:`models.code_information.CodeInformation`, terms
                       ``information_<x>_<y>``, :func:`models.losses.club.club_bound`
fitting of q           ``MIRD.estimator_loss``, :func:`models.losses.club.club_learning_loss`, in
                       steps of its own: :func:`models.estimators.fit_estimators`
log L_pred             term ``task``, :func:`models.losses.log_balance.log_balance`
log L_rec^m            terms ``reconstruction_<modality>``, behind the same
unlabelled data        ``split_rate`` of :class:`pipeline.training_config.TrainingConfig`; such
                       rows are in all terms but ``task``
=====================  ========================================================================

Where paper, authors' code and this differ (the paper's equations were not at hand; what is known
of it are its summaries and its figure):

====================  =====================  ============================  ========================
item                  paper                  authors' code                 here
====================  =====================  ============================  ========================
N_mi = 32             sample pairs           hidden width of q (halved),   ``estimator_width`` 16,
                                             all pairs                     all pairs; ``n_mi``
negative bounds       not known              minimised                     0; ``clamp_information``
steps of q            alternately            5, model run anew in each     5 on the same codes: the
                                                                           same gradients
mask of language      not known              none                          masked
LSTMs                 not known              run on over padding           last valid step
WSA                   sparse attention       no mask                       masked
reconstruction        not known              padding counts                valid steps alone
L_pred near 0         not known              log 0                         a line below
                                                                           ``balance_floor``
frames                55 of video, 400 of    the same, cut off             all, averaged by
                      audio                                                ``audio_stride`` and
                                                                           ``vision_stride``
learning rate         not known              1e-5, rises from 0 over the   the run's, falls on
                                             whole run (two arguments      plateaus
                                             are swapped)
weight decay          not known              none for biases, LayerNorm    the same, and none for s
selection of epochs   not known              by the test split             by the validation split
without token ids     no such case           no such case                  stored features, small
                                                                           transformers, squared
                                                                           error: ``wsa_lite``
without text          no such case           no such case                  the first modality's
                                                                           frames are the words
====================  =====================  ============================  ========================

The authors' results are on their test split's best epoch and leave utterances of sentiment 0 out of
all metrics, MAE and correlation too; their plotted mutual information was edited before plotting.
The term ``unclamped_information``, of weight 0, reports the sum of the bounds as they are. A bound
is only one if its estimator is close to the truth, and variances of at least 1/e keep it from that
for small codes: it falls with their squared length, whatever they know of each other. None of these
numbers says by itself that codes are independent.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from models.base import Losses, Output, SentimentModel, register
from models.batch import Batch
from models.code_information import CodeInformation
from models.losses.log_balance import log_balance
from models.losses.orthogonality import orthogonality_loss
from models.losses.regression import regression_loss
from models.mird_config import MIRDConfig
from models.mird_decoders import MIRDDecoders
from models.mird_encoders import MIRDEncoders

# A free-running decoder makes each frame of the state before, so that few tell all of the codes.
_DECODED_STEPS = 20


@register
class MIRD(SentimentModel):
    """One shared code, one of each modality, kept apart by bounds of their mutual information.

    Parameters
    ----------
    config : MIRDConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "mird"
    Config = MIRDConfig
    config: MIRDConfig

    def __init__(self, config: MIRDConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        settings, width = self.config, self.config.width
        self.estimator_steps = settings.estimator_steps
        self.estimator_learning_rate = settings.estimator_learning_rate
        self.encoders = MIRDEncoders(settings, self.dimensions)
        self.decoders = MIRDDecoders(
            widths=self.dimensions, vocabulary_size=self.encoders.vocabulary_size, width=width
        )
        self.regressor = nn.Sequential(
            nn.Linear(width * (1 + len(self.modalities)), width),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
            nn.Linear(width, 1),
            nn.Flatten(0),
        )
        self.pairs = (
            *combinations(self.modalities, 2),
            *(("shared", name) for name in self.modalities),
        )
        if settings.information == "club":
            self.information = CodeInformation(
                pairs=self.pairs, width=width, hidden=settings.estimator_width, n_mi=settings.n_mi
            )
        if settings.balance == "uncertainty":
            names = ("task", *(f"reconstruction_{name}" for name in self.modalities))
            self.log_variances = nn.ParameterDict({name: torch.zeros(()) for name in names})

    @property
    def reads_token_ids(self) -> bool:
        """Whether there is a BERT inside."""
        return self.config.text_model is not None and "text" in self.modalities

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
            With the parts ``"S"``, which is the same for all modalities, and ``"P"``.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        self.require_modalities(batch)
        shared, private = self.encoders(batch)
        return Output(
            prediction=self.regressor(torch.cat([shared, *private.values()], dim=1)),
            parts={"S": dict.fromkeys(self.modalities, shared), "P": private},
        )

    def decode(self, parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
        """Rebuild frames from any shared and private codes.

        Parameters
        ----------
        parts : dict of str to dict of str to Tensor, shape (B, width)
            ``"S"`` and ``"P"`` to modality to codes.

        Returns
        -------
        dict of str to Tensor, shape (B, 20, D)
            Modality to its first frames, of an utterance that need not be as long; without text if
            there is a BERT.
        """
        return self.decoders.frames(shared=parts["S"], private=parts["P"], steps=_DECODED_STEPS)

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the errors of the task and of the decoders, and the bounds between codes.

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
            ``task`` and ``reconstruction_<modality>``, balanced, and, unless ``information`` is
            ``none``, ``information_<x>_<y>`` and, of weight 0, ``unclamped_information``. An error
            with nothing to compare is 0 in any balance.
        """
        codes = _codes(output)
        errors = self._errors(batch, output, codes)
        nothing = output.prediction.sum() * 0.0
        terms = {
            name: nothing if error is None else self._balanced(name, error)
            for name, error in errors.items()
        }
        weights = {"task": 1.0} | {
            f"reconstruction_{name}": getattr(self.config, f"{name}_reconstruction_weight")
            for name in self.modalities
        }
        information = self._information(codes)
        if information:
            terms |= {
                f"information_{pair}": value.relu() if self.config.clamp_information else value
                for pair, value in information.items()
            }
            terms["unclamped_information"] = torch.stack(list(information.values())).sum().detach()
            weights |= dict.fromkeys(
                (f"information_{pair}" for pair in information), self.config.information_weight
            )
            weights["unclamped_information"] = 0.0
        return Losses(terms=terms, weights=weights)

    def _errors(
        self, batch: Batch, output: Output, codes: dict[str, Tensor]
    ) -> dict[str, Tensor | None]:
        task = regression_loss(
            prediction=output.prediction,
            target=batch.target,
            has_target=batch.has_target,
            kind="mse",
        )
        errors: dict[str, Tensor | None] = {"task": task if batch.has_target.any() else None}
        rebuilt = self.decoders(
            shared=codes["shared"],
            private=output.parts["P"],
            sequences=self.encoders.frames(batch),
            token_ids=self.encoders.token_ids(batch),
        )
        return errors | {f"reconstruction_{name}": error for name, error in rebuilt.items()}

    def _balanced(self, name: str, error: Tensor) -> Tensor:
        if self.config.balance == "log":
            return log_balance(loss=error, floor=self.config.balance_floor)
        if self.config.balance == "linear":
            return error
        log_variance: Tensor = self.log_variances[name]
        return (-log_variance).exp() * error + log_variance

    def _information(self, codes: dict[str, Tensor]) -> dict[str, Tensor]:
        if self.config.information == "none":
            return {}
        if self.config.information == "orthogonality":
            return {f"{x}_{y}": orthogonality_loss(x=codes[x], y=codes[y]) for x, y in self.pairs}
        bounds: dict[str, Tensor] = self.information(codes)
        return bounds

    def estimator_parameters(self) -> list[nn.Parameter]:
        """Name the parameters of the estimators; see :class:`models.base.SentimentModel`.

        Returns
        -------
        list of Parameter
            None without CLUB.
        """
        if self.config.information != "club":
            return []
        return list(self.information.parameters())

    def estimator_loss(self, batch: Batch, output: Output) -> Tensor | None:
        """Compute the loss that the estimators are fitted by.

        Parameters
        ----------
        batch : Batch
            The batch; its unlabelled utterances count like any.
        output : Output
            What :meth:`forward` returned for it, detached.

        Returns
        -------
        Tensor or None
            Scalar; None without CLUB.
        """
        if self.config.information != "club":
            return None
        loss: Tensor = self.information.learning_loss(_codes(output))
        return loss

    def parameter_groups(self, learning_rate: float) -> Iterable[dict[str, Any]]:
        """Give text encoders a rate of their own, and biases and norms no weight decay.

        Parameters
        ----------
        learning_rate : float
            The run's base rate, > 0.

        Returns
        -------
        iterable of dict
            Groups of all parameters but those of estimators.
        """
        text = {id(parameter) for parameter in self.encoders.text_parameters()}
        apart = {id(parameter) for parameter in self.estimator_parameters()}
        groups: dict[tuple[bool, bool], dict[str, Any]] = {}
        for parameter in self.parameters():
            if id(parameter) in apart:
                continue
            is_text, is_matrix = id(parameter) in text, parameter.ndim > 1
            rate = learning_rate * (self.config.text_rate if is_text else 1.0)
            decay = {} if is_matrix else {"weight_decay": 0.0}
            group = groups.setdefault((is_text, is_matrix), {"params": [], "lr": rate} | decay)
            group["params"].append(parameter)
        # the first group's rate is the one that is reported
        return [groups[kind] for kind in sorted(groups)]


def _codes(output: Output) -> dict[str, Tensor]:
    """Name the shared code and those of the modalities."""
    private = output.parts["P"]
    return {"shared": next(iter(output.parts["S"].values())), **private}
