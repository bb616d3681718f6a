"""Hyper-parameters of DMD."""

from dataclasses import dataclass

from models.decoupled_config import DecoupledConfig


@dataclass(frozen=True, kw_only=True)
class DMDConfig(DecoupledConfig):
    """Hyper-parameters of :class:`models.dmd.DMD`, besides those it shares with DLF.

    The default sizes are those that the authors publish for CMU-MOSI, with fewer layers and less
    dropout; ``configs/dmd_*.yaml`` has all that they publish, for CMU-MOSEI too.

    Parameters
    ----------
    distillation_weight : float
        Weight of either graph's distillation, >= 0.
    feature_distillation_weight, prior_weight : float
        Weights of features beside scores and of the edges' prior within it, >= 0.
    shared_edge_width, private_edge_width : int
        Widths of the halves of a vertex in the graph of shared and of private codes, >= 1.
    edge_scale : float
        Scale of edges in front of their softmax, > 0.
    prior_temperature : float
        Temperature of the edges' prior, > 0; a large one favours no edge.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    distillation_weight: float = 0.05
    feature_distillation_weight: float = 10.0
    prior_weight: float = 10.0
    shared_edge_width: int = 64
    private_edge_width: int = 32
    edge_scale: float = 0.125
    prior_temperature: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("edge_scale", "prior_temperature"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")
