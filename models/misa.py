"""MISA: modality-invariant and -specific representations (Hazarika et al., ACM Multimedia 2020).

=====================  ==========================================================================
paper                  code
=====================  ==========================================================================
u_m, m in {l, v, a}    ``MISA._encode``, part ``"Z"``: the mean over words of
                       :class:`models.text_reader.TextReader`, and
                       :class:`models.bidirectional.BidirectionalEncoder`, each behind Linear, ReLU
                       and LayerNorm
h^c_m = E_c(u_m)       ``shared``, part ``"S"``: one map and sigmoid for all modalities
h^p_m = E_p(u_m)       ``private``, part ``"P"``: one for each modality
L_sim                  term ``similarity``, mean over pairs of
                       :func:`models.losses.central_moment.central_moment_discrepancy` of S
L_diff                 term ``difference``, sum of
                       :func:`models.losses.orthogonality.orthogonality_loss` of S and P of each
                       modality and of P of each two modalities
L_recon, D             term ``reconstruction``, mean over modalities; ``MISA.decode``: D on S + P
fusion                 ``transformer`` over the six codes as steps, ``fusion`` on its outputs
L_task                 term ``task``
total                  task + ``similarity_weight`` L_sim + ``difference_weight`` L_diff
                       + ``reconstruction_weight`` L_recon
=====================  ==========================================================================

Where paper, authors' code and this differ:

====================  ==============================  ===========================================
item                  paper | authors' code           here
====================  ==============================  ===========================================
D                     one for all | one a modality    one a modality
E_p                   one for all | one a modality    one a modality
target u_m of D       not said | not detached         not detached: u_m also moves to what D makes
L_diff                squared Frobenius norm | mean   mean of squared entries
                      of squared entries
L_sim                 CMD or adversarial              CMD
loss                  squared error | the same        the same; ``regression``
discriminators        none | of S and P, in no loss   none
text                  BERT | BERT, all at one rate    the same with ``text_model``, else the mean of
                                                      stored features
frames                aligned with words              unaligned; ``audio_stride`` and
                                                      ``vision_stride`` averaged into one step
gradient              clipped by value                clipped by norm
optimiser             Adam, 2 batches of 16 summed    AdamW, one of 32
====================  ==============================  ===========================================

In MMSA's version of the code the audio and video of unaligned clips are packed with the length of
the text, so that frames beyond the number of word pieces are never read; ``mmsa_lengths`` does so
too. Otherwise all valid steps are read.

Neither L_sim nor L_diff looks at which utterance is which: on generated clips, at the published
weights, S and P hold the same (see ``winnow benchmark synth``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor, nn

from models.base import Losses, Output, register
from models.baseline import Baseline, BaselineConfig
from models.batch import Batch, PaddedSequence
from models.bidirectional import BidirectionalEncoder
from models.class_output import last_layers, task_output
from models.errors import ModelError
from models.losses.central_moment import central_moment_discrepancy
from models.losses.orthogonality import orthogonality_loss
from models.losses.reconstruction import reconstruction_loss
from models.losses.regression import RegressionKind
from models.pooling import masked_mean


@dataclass(frozen=True, kw_only=True)
class MISAConfig(BaselineConfig):
    """Hyper-parameters of :class:`MISA`, besides those of all baselines.

    The defaults are those that MMSA publishes for CMU-MOSI; ``configs/misa_*.yaml`` has those for
    CMU-MOSEI too.

    Parameters
    ----------
    audio_stride, vision_stride : int
        Frames averaged into one step of an LSTM, >= 1.
    width : int
        Width d of u_m and of the codes, a multiple of ``heads``.
    heads : int
        Of the transformer over the six codes, >= 1.
    feedforward_width : int
        Width inside this transformer, >= 1.
    transformer_dropout : float
        Dropout of this transformer, in [0, 1).
    dropout : float
        Of the fusion behind it, in [0, 1).
    moments : int
        Highest order of the central moments, >= 1.
    similarity_weight, difference_weight, reconstruction_weight : float
        Weights of the terms, >= 0.
    mmsa_lengths : bool
        Whether LSTMs of audio and video read as many steps as the text has, the first ones, padded
        with zeros if there are fewer; with strides of 1, as MMSA does. For reproduction.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    text_rate: float = 1.0
    regression: RegressionKind = "mse"
    audio_stride: int = 8
    vision_stride: int = 2
    width: int = 128
    heads: int = 2
    feedforward_width: int = 2048
    transformer_dropout: float = 0.1
    dropout: float = 0.2
    moments: int = 5
    similarity_weight: float = 0.3
    difference_weight: float = 0.1
    reconstruction_weight: float = 1.0
    mmsa_lengths: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.moments < 1:
            raise ValueError(f"moments must be >= 1, got {self.moments}")
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads={self.heads}, got {self.width}")


@register
class MISA(Baseline):
    """One code that modalities share in distribution and one of each modality, fused by attention.

    Parameters
    ----------
    config : MISAConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``, or ``mmsa_lengths`` is set and there is no text.
    """

    name = "misa"
    Config = MISAConfig
    predicts_classes = True
    config: MISAConfig

    def __init__(self, config: MISAConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        settings = self.config
        if settings.mmsa_lengths and "text" not in self.modalities:
            raise ModelError(
                f"model 'misa' with mmsa_lengths reads as many frames as there are words, but was "
                f"given {list(self.modalities)}; set mmsa_lengths to false or give it text"
            )
        self.encoders = nn.ModuleDict(
            {name: self._encoder(name) for name in self.modalities if name != "text"}
        )
        self.projections = nn.ModuleDict({name: self._projection(name) for name in self.modalities})
        self.shared = _code(settings.width)
        self.private = nn.ModuleDict({name: _code(settings.width) for name in self.modalities})
        self.decoders = nn.ModuleDict(
            {name: nn.Linear(settings.width, settings.width) for name in self.modalities}
        )
        self.transformer = nn.TransformerEncoderLayer(
            settings.width,
            settings.heads,
            dim_feedforward=settings.feedforward_width,
            dropout=settings.transformer_dropout,
            batch_first=True,
        )
        inside = settings.width * len(self.modalities)
        self.fusion = nn.Sequential(
            nn.Linear(2 * inside, inside),
            nn.Dropout(settings.dropout),
            nn.ReLU(),
            *last_layers(width=inside, classes=settings.classes),
        )

    def _encoder(self, modality: str) -> BidirectionalEncoder:
        width = self.dimensions[modality]
        stride = {"audio": self.config.audio_stride, "vision": self.config.vision_stride}
        return BidirectionalEncoder(input_width=width, width=width, stride=stride[modality])

    def _projection(self, modality: str) -> nn.Sequential:
        source = self.widths[modality] * (1 if modality == "text" else 4)
        return nn.Sequential(
            nn.Linear(source, self.config.width), nn.ReLU(), nn.LayerNorm(self.config.width)
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
            With the parts ``"S"``, ``"P"`` and ``"Z"``.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        Z = self._encode(self.read(batch))
        S = {name: self.shared(vector) for name, vector in Z.items()}
        P = {name: self.private[name](vector) for name, vector in Z.items()}
        codes = self.transformer(torch.stack([*P.values(), *S.values()], dim=1))
        return task_output(self.fusion(codes.flatten(1)), parts={"S": S, "P": P, "Z": Z})

    def _encode(self, sequences: Mapping[str, PaddedSequence]) -> dict[str, Tensor]:
        lengths = sequences["text"].mask.sum(dim=1) if self.config.mmsa_lengths else None
        vectors = {}
        for name, sequence in sequences.items():
            if name == "text":
                vector = masked_mean(values=sequence.values, mask=sequence.mask)
            else:
                vector = self.encoders[name](sequence, lengths)
            vectors[name] = self.projections[name](vector)
        return vectors

    def decode(self, parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
        """Rebuild u_m from any shared and private codes.

        Parameters
        ----------
        parts : dict of str to dict of str to Tensor, shape (B, width)
            ``"S"`` and ``"P"`` to modality to codes, which need not belong to the same utterances.

        Returns
        -------
        dict of str to Tensor, shape (B, width)
            Modality to the rebuilt part ``"Z"``.
        """
        return {
            name: decoder(parts["S"][name] + parts["P"][name])
            for name, decoder in self.decoders.items()
        }

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the four terms.

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
            ``task``, ``difference``, ``reconstruction`` and, with two modalities or more,
            ``similarity``.
        """
        task = super().losses(batch, output, progress)
        terms = {
            "difference": self._difference(output),
            "reconstruction": self._reconstruction(output),
        }
        if len(self.modalities) > 1:
            terms["similarity"] = self._similarity(output.parts["S"])
        weights = {name: float(getattr(self.config, f"{name}_weight")) for name in terms}
        return Losses(terms=task.terms | terms, weights=task.weights | weights)

    def _similarity(self, shared: Mapping[str, Tensor]) -> Tensor:
        distances = [
            central_moment_discrepancy(x=x, y=y, moments=self.config.moments)
            for x, y in combinations(shared.values(), 2)
        ]
        return torch.stack(distances).mean()

    def _difference(self, output: Output) -> Tensor:
        S, P = output.parts["S"], output.parts["P"]
        pairs = [(S[name], P[name]) for name in self.modalities]
        pairs += combinations(P.values(), 2)
        return torch.stack([orthogonality_loss(x=x, y=y) for x, y in pairs]).sum()

    def _reconstruction(self, output: Output) -> Tensor:
        errors = [
            reconstruction_loss(reconstruction=rebuilt, target=output.parts["Z"][name])
            for name, rebuilt in self.decode(output.parts).items()
        ]
        return torch.stack(errors).mean()


def _code(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.Sigmoid())
