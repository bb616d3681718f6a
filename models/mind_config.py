"""Hyper-parameters of MInD."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from models.class_output import check_classes
from models.encoders import EncoderConfig
from models.losses.regression import RegressionKind
from models.mind_presets import PRESETS, Preset

Backbone = Literal["transformer", "frames"]
Muted = Literal["none", "S", "P"]
MuteMode = Literal["zeros", "remove"]
NoiseSource = Literal["gaussian", "input", "none"]
CodeEncoder = Literal["perceptron", "linear", "bottleneck"]
Reduction = Literal["mean", "sum"]
Consistency = Literal["barlow_twins", "info_nce"]
OffDiagonal = Literal["inverse_width", "width"]
Kernel = Literal["linear", "rbf"]
DifferencePairs = Literal["all", "shared_private"]
Negatives = Literal["roll", "random"]
Reversal = Literal["schedule", "constant"]

# The default of a setting that a preset has, filled in when all others are known.
_OF_PRESET: Any = None


@dataclass(frozen=True, kw_only=True)
class MInDConfig(EncoderConfig):
    """Hyper-parameters of :class:`models.mind.MInD`, besides those of its backbones.

    What has no default of its own takes the preset's, see :mod:`models.mind_presets`; afterwards it
    is a plain value, so that ``dataclasses.replace`` with another preset keeps it.

    The author preset's loss weights and dropouts are those of the authors' CMU-MOSI runs. Their
    ``width`` there is 512, with a fine-tuned BERT and 1284 training utterances; 128 is the default
    here because stored text features and small collections do not pay for more.

    Parameters
    ----------
    preset : {"author", "paper", "strong"}
        Defaults of the settings that have none of their own: those of the authors' code, of the
        paper's text, or of our own method.
    backbone : {"transformer", "frames"}
        As published, transformers over audio and video and a mean of text, which takes it for read
        by a BERT; or, for every modality, a network on each frame and their mean, as in
        :class:`models.concat.Concat`, with the LayerNorm that all published ones end with. Of the
        settings of backbones it has ``width`` alone.
    audio_stride, vision_stride : int
        Frames averaged into one step of the transformer, >= 1. Attention is quadratic in steps;
        8 and 2 bring acoustic features at 100 Hz and video at 25 Hz to 12.5 steps a second, about
        the rate of phones and still three times that of the words which the authors align to.
    text_model : str, optional
        BERT that is trained with the model, as in :class:`models.bert.BertTransformer`; stored text
        features are read without it.
    max_pieces : int
        Word pieces that a BERT reads of an utterance, >= 1.
    code_encoder : {"perceptron", "linear", "bottleneck"}
        Form of the shared and private encoders, see :func:`models.mind_heads.code_encoder`.
    encoder_dropout : float
        Dropout inside the shared and the private encoders, in [0, 1); not in linear ones.
    shared_width, private_width : int
        Widths of S_m, and of P_m and N_m, >= 1.
    noise_source : {"gaussian", "input", "none"}
        What N_m is made from: Gaussian noise by the private encoder, as published; Z_m by an
        encoder of its own, so that it can hold what the clip's nuisance adds; or nothing, which
        leaves out all terms with noise.
    classifier_dropout : float
        Dropout inside the classifier and the noise classifier, in [0, 1).
    fusion_width : int
        Width of the fused vector, even and >= 2.
    statistics_width : int
        Hidden width of the statistics networks, >= 1.
    decoder_width : int
        Hidden width of the reconstruction decoders, >= 1.
    regression : {"l1", "mse", "mse_l1", "logistic"}
        Error of the task, see :func:`models.losses.regression.regression_loss`, and of the noise
        prediction, which has ``mse`` for ``mse_l1``. The authors' CMU-MOSEI runs have ``mse_l1``;
        ``logistic`` is for two classes.
    classes : tuple of str
        Names of classes that are predicted instead of a score; the error is then the cross entropy.
        Targets are their numbers.
    reduction : {"mean", "sum"}
        Whether terms are means or sums over modalities and pairs; sums of L_CyR also over columns.
    noise_prediction_weight, info_weight, consistency_weight, difference_weight : float
        Weights of L_NP, L_Info, L_Cons and L_Diff, >= 0. A term of weight 0 is built all the same.
    reconstruction_weight, cyclic_weight : float
        Weights of L_Recon and L_CyR, >= 0; the paper has one lambda for both.
    negatives : {"roll", "random"}
        Whether the negative pairs of L_Info are the batch rolled by one, or by a number drawn anew
        for each estimate from torch's global generator.
    consistency : {"barlow_twins", "info_nce"}
        Loss between the shared codes of two modalities.
    barlow_off_diagonal : float or {"inverse_width", "width"}
        Off-diagonal weight of the Barlow Twins loss, >= 0, or 1/d or d of the codes' width d.
    temperature : float
        Of InfoNCE, > 0.
    difference_kernel : {"linear", "rbf"}
        Kernel of HSIC; ``rbf`` is Gaussian with the median distance as its bandwidth.
    difference_normalised : bool
        Whether HSIC is divided by the root of those of the codes with themselves.
    difference_pairs : {"all", "shared_private"}
        Codes that are kept apart: all four families of the paper, or S_m and P_m alone.
    difference_warm_up : float
        Share of the training over which the weight of L_Diff rises linearly from 0, 0 to 1.
    detach_reconstruction, detach_cyclic : bool
        Whether the target of L_Recon, and those of L_CyR, stop the gradient. The authors' do not,
        which also draws the targets towards what is easy to rebuild.
    share_noise_statistics : bool
        Whether private codes and noise have the same statistics network.
    share_decoders : bool
        Whether all modalities have the same decoders.
    reversal : {"schedule", "constant"}
        Whether the gradient reversal's strength rises from 0 to 1, or is 1.
    muted : {"none", "S", "P"}
        Ablation: part that the fusion does not get.
    mute_mode : {"zeros", "remove"}
        Whether the muted part is replaced by zeros at the fusion's input, all losses kept, or is
        not there at all.
    disentangle : bool
        Ablation: if False, the unimodal vectors are fused directly and the task is the only term.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    preset: Preset = "author"
    backbone: Backbone = "transformer"
    audio_stride: int = 8
    vision_stride: int = 2
    text_model: str | None = None
    max_pieces: int = 50
    code_encoder: CodeEncoder = _OF_PRESET
    encoder_dropout: float = _OF_PRESET
    shared_width: int = _OF_PRESET
    private_width: int = _OF_PRESET
    noise_source: NoiseSource = _OF_PRESET
    classifier_dropout: float = 0.15
    fusion_width: int = 128
    statistics_width: int = 512
    decoder_width: int = 256
    regression: RegressionKind = "l1"
    classes: tuple[str, ...] = ()
    reduction: Reduction = _OF_PRESET
    noise_prediction_weight: float = _OF_PRESET
    info_weight: float = _OF_PRESET
    consistency_weight: float = _OF_PRESET
    difference_weight: float = _OF_PRESET
    reconstruction_weight: float = _OF_PRESET
    cyclic_weight: float = _OF_PRESET
    negatives: Negatives = "roll"
    consistency: Consistency = _OF_PRESET
    barlow_off_diagonal: float | OffDiagonal = _OF_PRESET
    temperature: float = 0.1
    difference_kernel: Kernel = _OF_PRESET
    difference_normalised: bool = _OF_PRESET
    difference_pairs: DifferencePairs = _OF_PRESET
    difference_warm_up: float = _OF_PRESET
    detach_reconstruction: bool = _OF_PRESET
    detach_cyclic: bool = _OF_PRESET
    share_noise_statistics: bool = _OF_PRESET
    share_decoders: bool = _OF_PRESET
    reversal: Reversal = "schedule"
    muted: Muted = "none"
    mute_mode: MuteMode = "zeros"
    disentangle: bool = True

    def __post_init__(self) -> None:
        self._check_choice("preset", get_args(Preset))
        for name, value in PRESETS[self.preset].items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, self.width if value is None else value)
        super().__post_init__()
        self._check_choices()
        self._check_sizes()
        self._check_weights()
        check_classes(self.classes)

    def _check_choice(self, name: str, known: tuple[str, ...]) -> None:
        if getattr(self, name) not in known:
            raise ValueError(f"{name} must be one of {known}, got {getattr(self, name)!r}")

    def _check_choices(self) -> None:
        choices = {
            "backbone": Backbone,
            "code_encoder": CodeEncoder,
            "noise_source": NoiseSource,
            "regression": RegressionKind,
            "reduction": Reduction,
            "negatives": Negatives,
            "consistency": Consistency,
            "difference_kernel": Kernel,
            "difference_pairs": DifferencePairs,
            "reversal": Reversal,
            "muted": Muted,
            "mute_mode": MuteMode,
        }
        for name, known in choices.items():
            self._check_choice(name, get_args(known))
        if isinstance(self.barlow_off_diagonal, str):
            self._check_choice("barlow_off_diagonal", get_args(OffDiagonal))

    def _check_sizes(self) -> None:
        names = [
            *("audio_stride", "vision_stride", "max_pieces", "fusion_width"),
            *("shared_width", "private_width", "statistics_width", "decoder_width"),
        ]
        wrong = {name: getattr(self, name) for name in names if getattr(self, name) < 1}
        if wrong:
            raise ValueError(f"these must be at least 1, got {wrong}")
        if self.fusion_width % 2:
            raise ValueError(f"fusion_width must be even, got {self.fusion_width}")

    def _check_weights(self) -> None:
        weights = {f"{name}_weight": weight for name, weight in self.term_weights.items()}
        if not isinstance(self.barlow_off_diagonal, str):
            weights["barlow_off_diagonal"] = self.barlow_off_diagonal
        wrong = {name: weight for name, weight in weights.items() if not weight >= 0.0}
        if wrong:
            raise ValueError(f"weights must not be negative, got {wrong}")
        if not self.temperature > 0.0:
            raise ValueError(f"temperature must be > 0, got {self.temperature}")
        if not 0.0 <= self.difference_warm_up <= 1.0:
            raise ValueError(
                f"difference_warm_up must lie in [0, 1], got {self.difference_warm_up}"
            )

    @property
    def term_weights(self) -> dict[str, float]:
        """Weight of each loss term besides the task, by the term's name, after any warm-up."""
        return {
            "noise_prediction": self.noise_prediction_weight,
            "info": self.info_weight,
            "consistency": self.consistency_weight,
            "difference": self.difference_weight,
            "reconstruction": self.reconstruction_weight,
            "cyclic": self.cyclic_weight,
        }

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that a clip is taken apart into, of ``"S"``, ``"P"`` and ``"N"``."""
        gone: set[str] = {self.muted} if self.mute_mode == "remove" else set()
        gone |= {"N"} if self.noise_source == "none" else set()
        return tuple(part for part in "SPN" if part not in gone)

    @property
    def features(self) -> tuple[str, ...]:
        """The parts that the prediction is made from: S and P, or one of them."""
        return tuple(part for part in self.parts if part != "N")

    def part_width(self, part: str) -> int:
        """Width of a code.

        Parameters
        ----------
        part : {"S", "P", "N"}
            The part.

        Returns
        -------
        int
            ``shared_width`` or ``private_width``.
        """
        return self.shared_width if part == "S" else self.private_width
