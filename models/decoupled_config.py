"""Hyper-parameters that DMD and DLF have in common."""

from dataclasses import dataclass

from models.mult_config import MulTConfig


@dataclass(frozen=True, kw_only=True)
class DecoupledConfig(MulTConfig):
    """Hyper-parameters of :class:`models.decoupled_baseline.DecoupledBaseline`.

    Those of MulT, whose transformers are used, and these.

    Parameters
    ----------
    reconstruction_weight, cycle_weight, orthogonality_weight, margin_weight : float
        Weights of the terms of :class:`models.decoupler.Decoupler`, >= 0.
    label_margin : float
        Margin of the last one for each unit of the labels' distance, >= 0.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    text_rate: float = 1.0
    layers: int = 2
    self_attention_layers: int = 2
    reconstruction_weight: float = 0.1
    cycle_weight: float = 0.1
    orthogonality_weight: float = 0.01
    margin_weight: float = 0.01
    label_margin: float = 0.15

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_margin < 0.0:
            raise ValueError(f"label_margin must be >= 0, got {self.label_margin}")
