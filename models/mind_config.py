"""Hyper-parameters of MInD."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from models.encoders import EncoderConfig
from models.losses.regression import RegressionKind

Muted = Literal["none", "S", "P"]


@dataclass(frozen=True, kw_only=True)
class MInDConfig(EncoderConfig):
    """Hyper-parameters of :class:`models.mind.MInD`, besides those of its backbones.

    Loss weights and the two dropouts are those of the authors' CMU-MOSI runs. Their ``width``
    there is 512, with a fine-tuned BERT and 1284 training utterances; 128 is the default here
    because stored text features and small collections do not pay for more.

    Parameters
    ----------
    audio_stride, vision_stride : int
        Frames averaged into one step of the transformer, >= 1. Attention is quadratic in steps;
        8 and 2 bring acoustic features at 100 Hz and video at 25 Hz to 12.5 steps a second, about
        the rate of phones and still three times that of the words which the authors align to.
    encoder_dropout : float
        Dropout inside the shared and the private encoders, in [0, 1).
    classifier_dropout : float
        Dropout inside the classifier and the noise classifier, in [0, 1).
    fusion_width : int
        Width of the fused vector, even and >= 2.
    statistics_width : int
        Hidden width of the statistics networks, >= 1.
    decoder_width : int
        Hidden width of the reconstruction decoders, >= 1.
    regression : {"l1", "mse"}
        Error of the task and of the noise prediction.
    noise_prediction_weight, info_weight, consistency_weight, difference_weight : float
        Weights of L_NP, L_Info, L_Cons and L_Diff, >= 0. A term of weight 0 is built all the same.
    reconstruction_weight, cyclic_weight : float
        Weights of L_Recon and L_CyR, >= 0; the paper has one lambda for both.
    barlow_off_diagonal : float, optional
        Off-diagonal weight of the Barlow Twins loss, >= 0; 1/d without it.
    detach_reconstruction, detach_cyclic : bool
        Whether the target of L_Recon, and those of L_CyR, stop the gradient. The authors' do not,
        which also draws the targets towards what is easy to rebuild.
    muted : {"none", "S", "P"}
        Ablation: part that is replaced by zeros at the fusion's input, all losses kept.
    disentangle : bool
        Ablation: if False, the unimodal vectors are fused directly and the task is the only term.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    audio_stride: int = 8
    vision_stride: int = 2
    encoder_dropout: float = 0.35
    classifier_dropout: float = 0.15
    fusion_width: int = 128
    statistics_width: int = 512
    decoder_width: int = 256
    regression: RegressionKind = "l1"
    noise_prediction_weight: float = 1.0
    info_weight: float = 1e-2
    consistency_weight: float = 1e-4
    difference_weight: float = 1e-3
    reconstruction_weight: float = 0.1
    cyclic_weight: float = 0.1
    barlow_off_diagonal: float | None = None
    detach_reconstruction: bool = False
    detach_cyclic: bool = False
    muted: Muted = "none"
    disentangle: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_sizes()
        self._check_weights()
        choices = {"regression": get_args(RegressionKind), "muted": get_args(Muted)}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}")

    def _check_sizes(self) -> None:
        names = [
            *("audio_stride", "vision_stride", "fusion_width"),
            *("statistics_width", "decoder_width"),
        ]
        wrong = {name: getattr(self, name) for name in names if getattr(self, name) < 1}
        if wrong:
            raise ValueError(f"these must be at least 1, got {wrong}")
        if self.fusion_width % 2:
            raise ValueError(f"fusion_width must be even, got {self.fusion_width}")

    def _check_weights(self) -> None:
        weights = {f"{name}_weight": weight for name, weight in self.term_weights.items()}
        weights["barlow_off_diagonal"] = self.barlow_off_diagonal or 0.0
        wrong = {name: weight for name, weight in weights.items() if not weight >= 0.0}
        if wrong:
            raise ValueError(f"weights must not be negative, got {wrong}")

    @property
    def term_weights(self) -> dict[str, float]:
        """Weight of each loss term besides the task, by the term's name."""
        return {
            "noise_prediction": self.noise_prediction_weight,
            "info": self.info_weight,
            "consistency": self.consistency_weight,
            "difference": self.difference_weight,
            "reconstruction": self.reconstruction_weight,
            "cyclic": self.cyclic_weight,
        }
