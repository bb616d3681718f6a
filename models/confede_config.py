"""Hyper-parameters of ConFEDE."""

from dataclasses import dataclass

from models.baseline import BaselineConfig
from models.losses.regression import RegressionKind


@dataclass(frozen=True, kw_only=True)
class ConFEDEConfig(BaselineConfig):
    """Hyper-parameters of :class:`models.confede.ConFEDE`, besides those of all baselines.

    The weights, the temperature and the neighbours are those that the authors publish for all data
    sets; the default encoders are smaller, with less dropout, and ``configs/confede_*.yaml`` has
    the published ones.

    Parameters
    ----------
    audio_stride, vision_stride : int
        Frames averaged into one step of an encoder, >= 1.
    width : int
        Width d of the encoders, a multiple of 8 and of ``heads``; codes are half as wide.
    heads : int
        Of the encoders, >= 1.
    text_layers, audio_layers, vision_layers : int
        Of the encoders, >= 1; that of text is for stored features, without a ``text_model``.
    dropout : float
        Of the encoders and of the codes, in [0, 1).
    neighbours : int
        Clips of each of the three kinds that a clip is contrasted with, >= 1.
    class_interval : float
        Labels that round to the same multiple of it are of one class, > 0.
    temperature : float
        Of the contrast, > 0.
    contrastive_weight, unimodal_weight : float
        Weights of the terms, >= 0.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    text_rate: float = 0.1
    regression: RegressionKind = "mse"
    audio_stride: int = 8
    vision_stride: int = 2
    width: int = 128
    heads: int = 8
    text_layers: int = 2
    audio_layers: int = 2
    vision_layers: int = 2
    dropout: float = 0.1
    neighbours: int = 2
    class_interval: float = 1.0
    temperature: float = 0.5
    contrastive_weight: float = 0.1
    unimodal_weight: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % 8 or self.width % self.heads:
            raise ValueError(
                f"width must be a multiple of 8 and of heads={self.heads}, got {self.width}"
            )
        limits = {"neighbours": 1, "class_interval": 0.0, "temperature": 0.0}
        wrong = {name: getattr(self, name) for name in limits if not getattr(self, name) > 0}
        if wrong:
            raise ValueError(f"must be positive: {wrong}")
