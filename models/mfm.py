"""MFM: multimodal factorisation model (Tsai et al., ICLR 2019).

==========================  ===============================================================
paper                       code
==========================  ===============================================================
Q(z_y | x_1..M)             ``joint_encoders`` and ``joint_code``, on all modalities
Q(z_m | x_m)                ``encoders``: :class:`models.recurrent.RecurrentEncoder`, linear
G_y: f_y, G_m: f_m          ``factors``: two layers with ReLU on z_y and on each z_m
F_m(f_m, f_y)               ``decoders``: :class:`models.recurrent.RecurrentDecoder`
D(f_y)                      ``head``
eq. 4, c_X                  terms ``reconstruction_<modality>``,
                            :func:`models.losses.reconstruction.reconstruction_loss`
eq. 4, c_Y                  term ``task``
eq. 4, MMD(Q_Z, P_Z)        term ``discrepancy``,
                            :func:`models.losses.gaussian_discrepancy.gaussian_discrepancy`
==========================  ===============================================================

Where the authors' code, as MMSA has it, and this differ:

====================  ==============================  ========================================
item                  authors' code                   here
====================  ==============================  ========================================
encoder of z_y        MFN, which needs data aligned   last states of an LSTM a modality, then a
                      to words                        linear layer: data need not be aligned
N(0, I) in the MMD    drawn anew in each step         its kernel means in closed form
reconstruction        padding counts                  valid steps alone
frames                each one a step                 ``audio_stride`` and ``vision_stride``
                                                      averaged into one, read and rebuilt
missing modalities    an inference network of its     not needed: no such network
                      own in the paper, none in MMSA
weight decay          Adam's, in the gradient         AdamW's, decoupled; see the configuration
text                  stored BERT features            the same, or a BERT with ``text_model``,
                                                      whose states are rebuilt, not trained by
                                                      being a target
====================  ==============================  ========================================

The part ``"S"`` is f_y, the same for all modalities, ``"P"`` is f_m and ``"Z"`` is z_m. Nothing in
the losses keeps f_m from what f_y holds: that they differ is left to the decoders, which have both.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.base import Losses, Output, register
from models.baseline import Baseline, BaselineConfig
from models.batch import Batch, PaddedSequence
from models.losses.gaussian_discrepancy import gaussian_discrepancy
from models.losses.reconstruction import reconstruction_loss
from models.pooling import average_windows
from models.recurrent import RecurrentDecoder, RecurrentEncoder

# A free-running decoder makes each frame of the state before, so that few tell all of the factors.
_DECODED_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class MFMConfig(BaselineConfig):
    """Hyper-parameters of :class:`MFM`, besides those of all baselines.

    The defaults are those published for CMU-MOSI by MMSA but for dropout, which is halved;
    ``configs/mfm_*.yaml`` has the published ones, for other data sets too.

    Parameters
    ----------
    audio_stride, vision_stride : int
        Frames averaged into one before everything else, >= 1.
    text_state_width, audio_state_width, vision_state_width : int
        Widths of the LSTMs' states that z_y is made of.
    joint_code_width, text_code_width, audio_code_width, vision_code_width : int
        Widths of z_y and z_m.
    joint_factor_width, text_factor_width, audio_factor_width, vision_factor_width : int
        Widths of f_y and f_m.
    joint_dropout, text_dropout, audio_dropout, vision_dropout : float
        Between the two layers from z to f, in [0, 1).
    head_dropout : float
        Between the two layers from f_y to the prediction, in [0, 1).
    text_reconstruction_weight, audio_reconstruction_weight, vision_reconstruction_weight : float
        Weights of the rebuilt modalities, >= 0.
    discrepancy_weight : float
        Weight of the sum of the codes' discrepancies from N(0, I), >= 0.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    audio_stride: int = 8
    vision_stride: int = 2
    text_state_width: int = 128
    audio_state_width: int = 32
    vision_state_width: int = 128
    joint_code_width: int = 80
    text_code_width: int = 64
    audio_code_width: int = 80
    vision_code_width: int = 80
    joint_factor_width: int = 64
    text_factor_width: int = 32
    audio_factor_width: int = 16
    vision_factor_width: int = 64
    joint_dropout: float = 0.25
    text_dropout: float = 0.25
    audio_dropout: float = 0.35
    vision_dropout: float = 0.25
    head_dropout: float = 0.0
    text_reconstruction_weight: float = 0.5
    audio_reconstruction_weight: float = 0.01
    vision_reconstruction_weight: float = 0.5
    discrepancy_weight: float = 100.0


@register
class MFM(Baseline):
    """Predict from a factor of all modalities, and rebuild each from it and one of its own.

    Parameters
    ----------
    config : MFMConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width; one, two or three modalities. That of text does not matter with
        a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "mfm"
    Config = MFMConfig
    config: MFMConfig

    def __init__(self, config: MFMConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        states = {name: self._width(name, "state") for name in self.modalities}
        self.joint_encoders = nn.ModuleDict(
            {
                name: RecurrentEncoder(input_width=size, width=states[name])
                for name, size in self.widths.items()
            }
        )
        self.joint_code = nn.Linear(sum(states.values()), self._width("joint", "code"))
        self.encoders = nn.ModuleDict(
            {name: self._encoder(name, size) for name, size in self.widths.items()}
        )
        self.factors = nn.ModuleDict(
            {name: self._factor(name) for name in ("joint", *self.modalities)}
        )
        joint = self._width("joint", "factor")
        self.decoders = nn.ModuleDict(
            {
                name: RecurrentDecoder(width=joint + self._width(name, "factor"), output_width=size)
                for name, size in self.widths.items()
            }
        )
        self.head = nn.Sequential(
            nn.Linear(joint, joint),
            nn.ReLU(),
            nn.Dropout(self.config.head_dropout),
            nn.Linear(joint, 1),
            nn.Flatten(0),
        )

    def _width(self, name: str, kind: str) -> int:
        return int(getattr(self.config, f"{name}_{kind}_width"))

    def _encoder(self, name: str, input_width: int) -> nn.Sequential:
        width = self._width(name, "code")
        return nn.Sequential(
            RecurrentEncoder(input_width=input_width, width=width), nn.Linear(width, width)
        )

    def _factor(self, name: str) -> nn.Sequential:
        width = self._width(name, "factor")
        return nn.Sequential(
            nn.Linear(self._width(name, "code"), width),
            nn.ReLU(),
            nn.Dropout(getattr(self.config, f"{name}_dropout")),
            nn.Linear(width, width),
            nn.ReLU(),
        )

    def read(self, batch: Batch) -> dict[str, PaddedSequence]:
        """Get the sequences of a batch, with frames averaged.

        Parameters
        ----------
        batch : Batch
            B utterances, with at least the model's modalities.

        Returns
        -------
        dict of str to PaddedSequence
            What :meth:`models.baseline.Baseline.read` returns, in windows of the strides.
        """
        strides = {"audio": self.config.audio_stride, "vision": self.config.vision_stride}
        found = {}
        for name, sequence in super().read(batch).items():
            values, mask = average_windows(
                values=sequence.values, mask=sequence.mask, size=strides.get(name, 1)
            )
            found[name] = PaddedSequence(values=values, mask=mask)
        return found

    def forward(self, batch: Batch) -> Output:
        """Predict.

        Parameters
        ----------
        batch : Batch
            B utterances, with at least the model's modalities.

        Returns
        -------
        Output
            With the parts ``"S"``, ``"P"`` and ``"Z"``; in ``extras`` the code ``joint_code`` and
            the errors ``reconstruction_<modality>``, scalars, 0 where there is nothing to rebuild.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        sequences = self.read(batch)
        states = [self.joint_encoders[name](s) for name, s in sequences.items()]
        joint = self.joint_code(torch.cat(states, dim=1))
        Z = {name: self.encoders[name](s) for name, s in sequences.items()}
        shared = self.factors["joint"](joint)
        P = {name: self.factors[name](code) for name, code in Z.items()}
        extras = {
            f"reconstruction_{name}": self._error(name, torch.cat([shared, P[name]], dim=1), s)
            for name, s in sequences.items()
        }
        return Output(
            prediction=self.head(shared),
            parts={"S": dict.fromkeys(self.modalities, shared), "P": P, "Z": Z},
            extras={"joint_code": joint, **extras},
        )

    def _error(self, name: str, factors: Tensor, sequence: PaddedSequence) -> Tensor:
        if not sequence.mask.any():
            return factors.sum() * 0.0
        return reconstruction_loss(
            reconstruction=self.decoders[name](factors, sequence.mask.shape[1]),
            target=sequence.values.detach(),
            mask=sequence.mask,
        )

    def decode(self, parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
        """Rebuild frames from any factors.

        Parameters
        ----------
        parts : dict of str to dict of str to Tensor
            ``"S"`` and ``"P"`` to modality to factors, of shape (B, width).

        Returns
        -------
        dict of str to Tensor, shape (B, 20, D)
            Modality to its first frames, of an utterance that need not be as long.
        """
        return {
            name: decoder(torch.cat([parts["S"][name], parts["P"][name]], dim=1), _DECODED_STEPS)
            for name, decoder in self.decoders.items()
        }

    def losses(self, batch: Batch, output: Output, progress: float) -> Losses:
        """Compute the errors of the task and of the decoders, and the discrepancy of the codes.

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
            ``task``, ``reconstruction_<modality>`` and ``discrepancy``.
        """
        losses = super().losses(batch, output, progress)
        codes = (output.extras["joint_code"], *output.parts["Z"].values())
        terms = {name: output.extras[name] for name in output.extras if name != "joint_code"}
        terms["discrepancy"] = torch.stack([gaussian_discrepancy(codes=c) for c in codes]).sum()
        weights = {name: getattr(self.config, f"{_bare(name)}_weight") for name in terms}
        return Losses(terms=losses.terms | terms, weights=losses.weights | weights)


def _bare(term: str) -> str:
    """Turn ``reconstruction_text`` into ``text_reconstruction``, as settings are named."""
    return "_".join(reversed(term.split("_")))
