"""Baselines that make one vector of each modality by the small networks of TFN."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from models.baseline import Baseline, BaselineConfig
from models.batch import Batch
from models.tfn_subnetworks import FrameSubnetwork, TextSubnetwork


@dataclass(frozen=True, kw_only=True)
class SubnetworkConfig(BaselineConfig):
    """Hyper-parameters of the small networks, besides those of all baselines.

    Parameters
    ----------
    text_state_width : int
        Width of the state of text's LSTM.
    text_width, audio_width, vision_width : int
        Widths of the modalities' vectors.
    text_dropout, audio_dropout, vision_dropout : float
        Of the LSTM's state and of the averaged frames, in [0, 1).
    fusion_dropout : float
        Of what is fused, in [0, 1).

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    text_state_width: int = 128
    text_width: int = 32
    audio_width: int = 32
    vision_width: int = 128
    text_dropout: float = 0.0
    audio_dropout: float = 0.3
    vision_dropout: float = 0.3
    fusion_dropout: float = 0.5


class SubnetworkBaseline(Baseline):
    """One small network a modality; what is made of the vectors is up to subclasses.

    Parameters
    ----------
    config : SubnetworkConfig or None
        Hyper-parameters.
    dimensions : mapping of str to int
        Modality to feature width. That of text does not matter with a ``text_model``.

    Raises
    ------
    ModelError
        If there is no such ``text_model``.
    """

    name = "subnetwork_baseline"  # registered are subclasses alone
    Config = SubnetworkConfig
    config: SubnetworkConfig

    def __init__(self, config: SubnetworkConfig | None, dimensions: Mapping[str, int]) -> None:
        super().__init__(config, dimensions)
        self.subnetworks = nn.ModuleDict(
            {name: self._subnetwork(name, size) for name, size in self.widths.items()}
        )

    @property
    def vector_widths(self) -> dict[str, int]:
        """Modality to the width of its vector."""
        return {name: getattr(self.config, f"{name}_width") for name in self.modalities}

    def _subnetwork(self, modality: str, input_width: int) -> nn.Module:
        width, dropout = self.vector_widths[modality], getattr(self.config, f"{modality}_dropout")
        if modality != "text":
            return FrameSubnetwork(input_width=input_width, width=width, dropout=dropout)
        return TextSubnetwork(
            input_width=input_width,
            state_width=self.config.text_state_width,
            width=width,
            dropout=dropout,
        )

    def encode(self, batch: Batch) -> dict[str, Tensor]:
        """Make one vector of each modality.

        Parameters
        ----------
        batch : Batch
            B utterances, with at least the model's modalities.

        Returns
        -------
        dict of str to Tensor, shape (B, width)
            Modality to vector.

        Raises
        ------
        MissingModalityError
            If the batch lacks a modality.
        """
        return {name: self.subnetworks[name](s) for name, s in self.read(batch).items()}
