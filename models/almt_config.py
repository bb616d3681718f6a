"""Hyper-parameters of ALMT."""

from dataclasses import dataclass
from typing import Literal, get_args

from models.baseline import BaselineConfig
from models.losses.regression import RegressionKind

Readout = Literal["token", "mean"]


@dataclass(frozen=True, kw_only=True)
class ALMTConfig(BaselineConfig):
    """Hyper-parameters of :class:`models.almt.ALMT`, besides those of all baselines.

    The defaults are those that the authors publish for CMU-MOSI; ``configs/almt_*.yaml`` has those
    for CMU-MOSEI and CH-SIMS too.

    Parameters
    ----------
    audio_stride, vision_stride : int
        Frames averaged into one step in front of the embedding, >= 1.
    width : int
        Width d of a step and of a token, even and >= 2.
    tokens : int
        Length T of every modality behind its embedding, >= 1.
    embedding_layers : int
        Of the transformers that embed the modalities, >= 1.
    hyper_layers : int
        Layers of hyper-modality learning, and scales of language, >= 1.
    fusion_layers : int
        Of the transformer in front of the prediction, >= 1.
    heads : int
        Of every attention, >= 1.
    head_width : int
        Width of a head in the transformers, >= 1.
    hyper_head_width : int
        Width of a head in hyper-modality learning, >= 1.
    feedforward_width : int
        Inside the feed-forward blocks, >= 1.
    readout : {"token", "mean"}
        What predicts behind the fusion: the token in front, which has seen the hyper-modality
        alone, so that language only tells what to take from other modalities; or the mean with the
        tokens of language, which is not the authors' model.
    dropout : float
        Of what attention and feed-forward blocks give and inside the latter, in [0, 1).

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
    tokens: int = 8
    embedding_layers: int = 1
    hyper_layers: int = 3
    fusion_layers: int = 2
    heads: int = 8
    head_width: int = 64
    hyper_head_width: int = 16
    feedforward_width: int = 128
    readout: Readout = "token"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tokens < 1:
            raise ValueError(f"tokens must be >= 1, got {self.tokens}")
        if self.readout not in get_args(Readout):
            raise ValueError(f"readout must be one of {get_args(Readout)}, got {self.readout!r}")
        if self.width % 2:
            raise ValueError(f"width must be even for sines and cosines, got {self.width}")
