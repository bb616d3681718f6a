"""ConFEDE: contrastive feature decomposition (Yang et al., ACL 2023).

==================================  ============================================================
paper                               code
==================================  ============================================================
encoders of text, vision and audio  ``ConFEDE._encode``, part ``"Z"``: the mean of a BERT's hidden
                                    states, and :class:`models.frame_transformer.FrameTransformer`
similarity features                 ``similar``, part ``"S"``: LayerNorm, Linear and tanh for each
                                    modality
dissimilarity features              ``dissimilar``, part ``"P"``, likewise
samples similar and dissimilar to   :func:`models.neighbours.choose_neighbours`
a clip
contrastive loss around text        term ``contrastive``, from
                                    :mod:`models.losses.contrastive_decomposition`
unimodal loss                       term ``unimodal``: ``unimodal_head``, one for all six codes
prediction, its loss                ``fusion`` of the six codes side by side; term ``task``
total                               task + ``contrastive_weight`` contrastive
                                    + ``unimodal_weight`` unimodal
==================================  ============================================================

Where the authors' code and this differ:

====================  ===============================  =========================================
item                  authors' code                    here
====================  ===============================  =========================================
samples               two drawn of the first ten of    the nearest and the furthest of the batch
                      each kind, from the whole        at the present step: their 16 clips with
                      training set, ranked anew every  96 samples are one batch of 112
                      second epoch
their labels          any: ranks in the order of       the clip's class for positive ones,
                      similarity are taken for clips   other classes for negative ones
too few of a kind     an error                         fewer
pairs within a clip   of a clip and its six samples    of each clip once
labels of the         each modality's own where the    the common one for all codes
unimodal loss         data set has them
stages                encoders trained one by one,     one: all learn together, a BERT at
                      then all but BERT together       ``text_rate``
text                  BERT's pooler                    the mean of its hidden states; without
                                                       ``text_model`` stored features, encoded
                                                       as audio and vision are
mean over steps       padding counts                   padding does not
positions             learned, for as many frames as   sines and cosines, for any length
                      the data set has
frames                each one a step                  ``audio_stride`` and ``vision_stride``
                                                       averaged into one
a clip without a      no such case                     its codes are in no pair and not in the
modality                                               unimodal loss
without text          no such case                     the first modality takes its place
schedule              a warm-up and a linear decay     the run's
====================  ===============================  =========================================

Labels decide no pair within a clip: these are there for unlabelled clips too.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from models.base import Losses, Output, register
from models.baseline import Baseline
from models.batch import Batch, PaddedSequence
from models.confede_config import ConFEDEConfig
from models.frame_transformer import FrameTransformer
from models.losses.contrastive_decomposition import contrastive_decomposition_loss
from models.losses.regression import regression_loss
from models.neighbours import choose_neighbours
from models.pooling import masked_mean


@register
class ConFEDE(Baseline):
    """A similar and a dissimilar code of each modality, told apart by contrast around text.

    Parameters
    ----------
    config : ConFEDEConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "confede"
    Config = ConFEDEConfig
    config: ConFEDEConfig

    def __init__(self, config: ConFEDEConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        half = self.config.width // 2
        self.encoders = nn.ModuleDict(
            {name: self._encoder(name) for name in self.modalities if not self._is_read(name)}
        )
        self.similar = nn.ModuleDict({name: self._code(name) for name in self.modalities})
        self.dissimilar = nn.ModuleDict({name: self._code(name) for name in self.modalities})
        inside = (half, half // 2, half // 4)
        self.fusion = _score(2 * half * len(self.modalities), (2 * half, *inside))
        self.unimodal_head = _score(half, inside[1:])

    def _is_read(self, modality: str) -> bool:
        return modality == "text" and self.reads_token_ids

    def _encoder(self, modality: str) -> FrameTransformer:
        settings = self.config
        return FrameTransformer(
            input_width=self.dimensions[modality],
            width=settings.width,
            heads=settings.heads,
            layers=getattr(settings, f"{modality}_layers"),
            dropout=settings.dropout,
            stride=1 if modality == "text" else getattr(settings, f"{modality}_stride"),
        )

    def _code(self, modality: str) -> nn.Sequential:
        source = self.widths["text"] if self._is_read(modality) else self.config.width
        return nn.Sequential(
            nn.LayerNorm(source),
            nn.Linear(source, self.config.width // 2),
            nn.Tanh(),
            nn.Dropout(self.config.dropout),
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
            With the parts ``"S"`` (similar), ``"P"`` (dissimilar) and ``"Z"``, and in ``extras``,
            as ``present``, a Tensor of bool of shape (modalities, B).

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        sequences = self.read(batch)
        Z = {name: self._encode(name, sequence) for name, sequence in sequences.items()}
        S = {name: self.similar[name](vector) for name, vector in Z.items()}
        P = {name: self.dissimilar[name](vector) for name, vector in Z.items()}
        present = torch.stack([sequence.mask.any(dim=1) for sequence in sequences.values()])
        return Output(
            prediction=self.fusion(torch.cat([*S.values(), *P.values()], dim=1)),
            parts={"S": S, "P": P, "Z": Z},
            extras={"present": present},
        )

    def _encode(self, modality: str, sequence: PaddedSequence) -> Tensor:
        if self._is_read(modality):
            return masked_mean(values=sequence.values, mask=sequence.mask)
        vector: Tensor = self.encoders[modality](sequence)
        return vector

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the three terms.

        Parameters
        ----------
        batch : Batch
            What was predicted; a batch without any target is legal, and trains what pairs within
            clips reach.
        output : Output
            What :meth:`forward` returned for it.
        progress : float
            Not used.

        Returns
        -------
        Losses
            ``task``, ``contrastive`` and ``unimodal``.
        """
        task = super().losses(batch, output, progress)
        terms = {
            "contrastive": self._contrast(batch, output),
            "unimodal": self._unimodal(batch, output),
        }
        weights = {name: float(getattr(self.config, f"{name}_weight")) for name in terms}
        return Losses(terms=task.terms | terms, weights=task.weights | weights)

    def _contrast(self, batch: Batch, output: Output) -> Tensor:
        positives, negatives = choose_neighbours(
            features=torch.cat(list(output.parts["Z"].values()), dim=1),
            target=batch.target,
            has_target=batch.has_target,
            count=self.config.neighbours,
            class_interval=self.config.class_interval,
        )
        return contrastive_decomposition_loss(
            similar=torch.stack(list(output.parts["S"].values())),
            dissimilar=torch.stack(list(output.parts["P"].values())),
            present=output.extras["present"],
            positives=positives,
            negatives=negatives,
            temperature=self.config.temperature,
        )

    def _unimodal(self, batch: Batch, output: Output) -> Tensor:
        codes = torch.cat([*output.parts["S"].values(), *output.parts["P"].values()])
        counted = (output.extras["present"] & batch.has_target).flatten()
        return regression_loss(
            prediction=self.unimodal_head(codes),
            target=batch.target.repeat(2 * len(self.modalities)),
            has_target=counted.repeat(2),
            kind=self.config.regression,
        )


def _score(source: int, widths: Iterable[int]) -> nn.Sequential:
    """Linear maps with GELU between them, down to one value a row."""
    layers: list[nn.Module] = []
    for before, after in pairwise((source, *widths)):
        layers += [nn.Linear(before, after), nn.GELU()]
    return nn.Sequential(*layers, nn.Linear(after, 1), nn.Flatten(0))
