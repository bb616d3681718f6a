"""Self-MM: self-supervised labels for each modality (Yu et al., AAAI 2021).

=====================================  =========================================================
paper                                  code
=====================================  =========================================================
F_t, F_a, F_v                          ``SelfMM._encode``: BERT's [CLS], and the last states of
                                       :class:`models.recurrent.RecurrentEncoder`
F*_s and y_s, s in {m, t, a, v}        :class:`models.score_head.ScoreHead`
relative distance value                :func:`models.pseudo_labels.relative_distance`
shifting value, y'_s                   :func:`models.pseudo_labels.generated_label`
momentum-based update policy           :func:`models.pseudo_labels.momentum_update`
W_s = tanh(abs(y_s - y_m))             term ``unimodal_<modality>``,
                                       :func:`models.losses.unimodal.unimodal_loss`
multimodal task                        term ``task``
=====================================  =========================================================

Where the authors' code and this differ:

====================  ================================  ======================================
item                  authors' code                     here
====================  ================================  ======================================
optimiser             Adam; every 4 batches, whose      AdamW; every batch, so one of 64 stands
                      gradients are summed              for 4 of 16
weight decay          in the gradient, by module        decoupled, one for all: the published
                                                        values do not carry over
end of an epoch       fewer than 4 batches discarded    all are used
frames                each one a step of the LSTM       ``audio_stride`` and ``vision_stride``
                                                        averaged into one; gaps left out
text                  BERT fine-tuned                   the same with ``text_model``, else the
                                                        mean of stored features
labels updated        after the gradient, before the    after the optimiser's step, from the
                      optimiser's step                  features of before it: the same values
empty class           mean of nothing                   labels stay as they are
unlabelled items      none                              take no part
====================  ================================  ======================================

In the first epoch all labels are the common one, so that all weights W_s are 0 and the unimodal
heads learn nothing before the second. The term ``clamped_labels`` is a report of weight 0: the
share of a batch's generated labels that the limit decided, where the quotient of distances
exploded.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.base import Losses, Output, SentimentModel, register
from models.batch import Batch
from models.bert import BertTransformer
from models.losses.regression import regression_loss
from models.losses.unimodal import unimodal_loss
from models.pooling import masked_mean
from models.pseudo_labels import PseudoLabels
from models.recurrent import RecurrentEncoder
from models.score_head import ScoreHead
from models.self_mm_config import SelfMMConfig


@register
class SelfMM(SentimentModel):
    """One head on the fused modalities and one on each, with labels that the model generates.

    Parameters
    ----------
    config : SelfMMConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "self_mm"
    Config = SelfMMConfig
    config: SelfMMConfig

    def __init__(self, config: SelfMMConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        self.bert = (
            BertTransformer(self.config.text_model, max_pieces=self.config.max_pieces, pooler=False)
            if self.reads_token_ids and self.config.text_model is not None
            else None
        )
        self.encoders = nn.ModuleDict(
            {name: self._encoder(name) for name in self.modalities if name != "text"}
        )
        widths = {name: self._width(name) for name in self.modalities}
        self.joint_head = self._head("joint", sum(widths.values()))
        self.heads = nn.ModuleDict({name: self._head(name, size) for name, size in widths.items()})
        self.labels = PseudoLabels(
            joint_width=self.config.joint_head_width,
            widths={name: self._setting(name, "head_width") for name in self.modalities},
            limit=self.config.label_limit,
            exclude_zero=self.config.exclude_zero,
            ratio_epsilon=self.config.ratio_epsilon,
        )

    @property
    def reads_token_ids(self) -> bool:
        """Whether there is a BERT inside."""
        return self.config.text_model is not None and "text" in self.modalities

    def _setting(self, modality: str, name: str) -> Any:
        return getattr(self.config, f"{modality}_{name}")

    def _width(self, modality: str) -> int:
        if modality != "text":
            return int(self._setting(modality, "width"))
        return self.dimensions["text"] if self.bert is None else self.bert.width

    def _head(self, name: str, width: int) -> ScoreHead:
        return ScoreHead(
            source=width,
            width=self._setting(name, "head_width"),
            dropout=self._setting(name, "dropout"),
        )

    def _encoder(self, modality: str) -> nn.Sequential:
        state = self._setting(modality, "state_width")
        return nn.Sequential(
            RecurrentEncoder(
                input_width=self.dimensions[modality],
                width=state,
                stride=self._setting(modality, "stride"),
            ),
            nn.Dropout(self.config.recurrent_dropout),
            nn.Linear(state, self._setting(modality, "width")),
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
            With the part ``"Z"``, the features of the modalities' heads, and in ``extras`` the
            features ``joint_features`` and the scores ``prediction_<modality>``.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        self.require_modalities(batch)
        vectors = {name: self._encode(name, batch) for name in self.modalities}
        joint, prediction = self.joint_head(torch.cat(list(vectors.values()), dim=1))
        features, extras = {}, {"joint_features": joint}
        for name, vector in vectors.items():
            features[name], extras[f"prediction_{name}"] = self.heads[name](vector)
        return Output(prediction=prediction, parts={"Z": features}, extras=extras)

    def _encode(self, modality: str, batch: Batch) -> Tensor:
        if modality == "text" and self.bert is not None:
            text = self.bert.embed(batch)
            return self.bert.pool(self.bert.encode(text.values, text.mask), text.mask)
        sequence = batch.sequences[modality]
        if modality == "text":
            return masked_mean(values=sequence.values, mask=sequence.mask)
        vector: Tensor = self.encoders[modality](sequence)
        return vector

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the error of the fusion and those of the modalities.

        Parameters
        ----------
        batch : Batch
            What was predicted; a batch without any target is legal, and trains nothing.
        output : Output
            What :meth:`forward` returned for it.
        progress : float
            Not used.

        Returns
        -------
        Losses
            ``task``, ``unimodal_<modality>`` and, of weight 0, ``clamped_labels``.
        """
        labels, clamped = self.labels.lookup(index=batch.index, target=batch.target)
        terms = {
            "task": regression_loss(
                prediction=output.prediction, target=batch.target, has_target=batch.has_target
            )
        }
        for name in self.modalities:
            terms[f"unimodal_{name}"] = unimodal_loss(
                prediction=output.extras[f"prediction_{name}"],
                label=labels[name],
                target=batch.target,
                has_target=batch.has_target,
                weighted=self.config.generate_labels and self.config.weight_labels,
            )
        weights = dict.fromkeys(terms, 1.0) | {"clamped_labels": 0.0}
        return Losses(terms=terms | {"clamped_labels": clamped}, weights=weights)

    def after_step(self, batch: Batch, output: Output, epoch: int) -> None:
        """Generate labels from the second epoch on and remember the features.

        Parameters
        ----------
        batch : Batch
            The batch; its unlabelled utterances are passed over.
        output : Output
            What :meth:`forward` returned for it, detached.
        epoch : int
            Epochs done, from 0.
        """
        if not self.config.generate_labels:
            return
        rows = batch.has_target
        self.labels.update(
            index=batch.index[rows],
            target=batch.target[rows],
            joint=output.extras["joint_features"][rows],
            features={name: values[rows] for name, values in output.parts["Z"].items()},
            epoch=epoch,
        )

    def parameter_groups(self, learning_rate: float) -> Iterable[dict[str, Any]]:
        """Give the BERT and the LSTMs rates of their own.

        Parameters
        ----------
        learning_rate : float
            The run's base rate, > 0.

        Returns
        -------
        iterable of dict
            Groups of the rest, of the encoders of audio and vision, and of the BERT.
        """
        encoders: dict[str, nn.Module] = dict(self.encoders.items())
        encoders |= {} if self.bert is None else {"text": self.bert}
        groups = [
            {
                "params": list(module.parameters()),
                "lr": self._setting(name, "rate") * learning_rate,
            }
            for name, module in encoders.items()
        ]
        apart = {id(parameter) for group in groups for parameter in group["params"]}
        rest = [parameter for parameter in self.parameters() if id(parameter) not in apart]
        return [{"params": rest, "lr": learning_rate}, *groups]
