"""Hyper-parameters of MIRD."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from models.wsa import WordAttention

Information = Literal["club", "orthogonality", "none"]
Balance = Literal["log", "linear", "uncertainty"]
LanguageEncoder = Literal["own", "shared", "lstm"]


@dataclass(frozen=True, kw_only=True)
class MIRDConfig:
    """Hyper-parameters of :class:`models.mird.MIRD`.

    Parameters
    ----------
    text_model : str or None
        BERT that is trained with the model, as in :class:`models.bert.BertTransformer`; without it
        stored text features are projected and read by a small transformer, which is ours and in
        results to be called ``wsa_lite``.
    max_pieces : int
        Word pieces that a BERT reads of an utterance, >= 1.
    audio_stride, vision_stride : int
        Frames averaged into one before everything else, >= 1.
    width : int
        Width of the four codes and of the LSTMs, >= 1.
    text_width, text_layers, text_heads : int
        Of the small transformer, >= 1; the width is even and a multiple of the heads.
    text_dropout : float
        Inside the small transformer, in [0, 1).
    dropout : float
        Behind the word-wise attention, in front of the codes that text is read into, and inside
        the regressor, in [0, 1).
    attention : {"sparsemax", "softmax", "aligned", "none"}
        How words take frames up: WSA, WA, MAG, or not at all, which leaves the shared code to the
        text alone.
    beta : float
        Longest shift of a word in units of its embedding, > 0.
    language_encoder : {"own", "shared", "lstm"}
        What reads the private code of language: a second encoder, the one behind the attention
        with words not shifted, or an LSTM over these words.
    information : {"club", "orthogonality", "none"}
        What keeps codes apart.
    information_weight : float
        Weight of each pair of codes, >= 0.
    clamp_information : bool
        Whether a negative bound, which only says that its estimator is poor, counts as 0. The
        authors minimise it all the same.
    n_mi : int or None
        Rows of the batch, drawn anew each time, that codes are compared with, >= 1; all if None.
    estimator_width : int
        Hidden width of the estimators, >= 1.
    estimator_steps : int
        Steps of the estimators after each step of the model, >= 1.
    estimator_learning_rate : float
        Of the estimators' Adam, > 0; the authors' 1e-3 goes with unlabelled data, 1e-2 without.
    balance : {"log", "linear", "uncertainty"}
        Whether the logarithms of the errors are added, the errors, or ``exp(-s) error + s`` with
        learned s (Kendall et al., CVPR 2018), which at the best s is the logarithm plus 1.
    balance_floor : float
        Error below which its logarithm goes on as a line, > 0.
    text_reconstruction_weight, audio_reconstruction_weight, vision_reconstruction_weight : float
        Weights of the rebuilt modalities, >= 0. The authors left (.1, 4e-4, 1e-10) in a comment for
        ``linear``.
    text_rate : float
        Learning rate of the text encoders in units of the run's, > 0.

    Raises
    ------
    ValueError
        If a value is outside its range.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    text_model: str | None = None
    max_pieces: int = 50
    audio_stride: int = 8
    vision_stride: int = 2
    width: int = 64
    text_width: int = 128
    text_layers: int = 2
    text_heads: int = 4
    text_dropout: float = 0.1
    dropout: float = 0.5
    attention: WordAttention | Literal["none"] = "sparsemax"
    beta: float = 1.0
    language_encoder: LanguageEncoder = "own"
    information: Information = "club"
    information_weight: float = 1.0
    clamp_information: bool = True
    n_mi: int | None = None
    estimator_width: int = 16
    estimator_steps: int = 5
    estimator_learning_rate: float = 1e-3
    balance: Balance = "log"
    balance_floor: float = 1e-3
    text_reconstruction_weight: float = 1.0
    audio_reconstruction_weight: float = 1.0
    vision_reconstruction_weight: float = 1.0
    text_rate: float = 1.0

    def __post_init__(self) -> None:
        rules: dict[tuple[str, ...], Callable[[float], bool]] = {
            ("width", "_stride", "_layers", "_heads", "_steps", "max_pieces", "n_mi"): (
                lambda value: value >= 1
            ),
            ("dropout",): lambda value: 0.0 <= value < 1.0,
            ("_rate", "_floor", "beta"): lambda value: value > 0.0,
            ("_weight",): lambda value: value >= 0.0,
        }
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        wrong = {
            name: value
            for endings, fits in rules.items()
            for name, value in values.items()
            if name.endswith(endings) and value is not None and not fits(value)
        }
        choices = {
            "attention": (*get_args(WordAttention), "none"),
            "language_encoder": get_args(LanguageEncoder),
            "information": get_args(Information),
            "balance": get_args(Balance),
        }
        wrong |= {
            name: values[name] for name, known in choices.items() if values[name] not in known
        }
        if wrong:
            raise ValueError(f"values outside their range: {wrong}")
        if self.text_width % 2 or self.text_width % self.text_heads:
            raise ValueError(
                f"text_width must be even and a multiple of text_heads={self.text_heads}, got "
                f"{self.text_width}"
            )
