"""Hyper-parameters of MulT."""

from dataclasses import dataclass

from models.baseline import BaselineConfig


@dataclass(frozen=True, kw_only=True)
class MulTConfig(BaselineConfig):
    """Hyper-parameters of :class:`models.mult.MulT`, besides those of all baselines.

    The default sizes are those that MMSA publishes for CMU-MOSI, with less dropout;
    ``configs/mult_*.yaml`` has all that it publishes, for CMU-MOSEI and CH-SIMS too.

    Parameters
    ----------
    audio_stride, vision_stride : int
        Frames averaged into one step in front of the convolution, >= 1. The cost of attention
        grows with the product of the numbers of steps.
    text_kernel, audio_kernel, vision_kernel : int
        Steps of a window of the convolutions, >= 1.
    step_width : int
        Width d of a step, even and a multiple of ``heads``.
    layers : int
        Of each crossmodal transformer, >= 1.
    self_attention_layers : int
        Of the transformer behind them, >= 1.
    heads : int
        Of all transformers, >= 1.
    future_mask : bool
        Whether a step looks no further into another modality than the difference of the two
        lengths allows; see :func:`models.crossmodal.attention_mask`.
    text_attention_dropout, audio_attention_dropout, vision_attention_dropout : float
        Dropout of the attention to a modality, in [0, 1); that of text is also the one of
        self-attention.
    text_dropout : float
        Dropout of the text's features, in [0, 1).
    embedding_dropout, feedforward_dropout, residual_dropout : float
        Dropout of the steps in front of a transformer, inside its feed-forward blocks, and of what
        is added to the residual, in [0, 1).
    output_dropout : float
        Inside the block in front of the prediction, in [0, 1).

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    audio_stride: int = 8
    vision_stride: int = 2
    text_kernel: int = 5
    audio_kernel: int = 5
    vision_kernel: int = 5
    step_width: int = 50
    layers: int = 4
    self_attention_layers: int = 4
    heads: int = 10
    future_mask: bool = True
    text_attention_dropout: float = 0.1
    audio_attention_dropout: float = 0.1
    vision_attention_dropout: float = 0.1
    text_dropout: float = 0.1
    embedding_dropout: float = 0.0
    feedforward_dropout: float = 0.0
    residual_dropout: float = 0.0
    output_dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        kernels = {name: getattr(self, name) for name in vars(self) if name.endswith("_kernel")}
        wrong = {name: size for name, size in kernels.items() if size < 1}
        if wrong:
            raise ValueError(f"kernels must have at least one step, got {wrong}")
        if self.step_width % 2 or self.step_width % self.heads:
            raise ValueError(
                f"step_width must be even and a multiple of heads={self.heads}, got "
                f"{self.step_width}"
            )
