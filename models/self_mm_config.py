"""Hyper-parameters of Self-MM."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class SelfMMConfig:
    """Hyper-parameters of :class:`models.self_mm.SelfMM`.

    The defaults are those published for CMU-MOSI; ``configs/self_mm_*.yaml`` has those for other
    data sets too.

    Parameters
    ----------
    text_model : str or None
        BERT that is trained with the model, as in :class:`models.bert.BertTransformer`; without it
        the mean of stored text features takes the place of its [CLS].
    max_pieces : int
        Word pieces that such a BERT reads of an utterance, >= 1.
    audio_stride, vision_stride : int
        Frames averaged into one step of an LSTM, >= 1.
    audio_state_width, vision_state_width : int
        Widths of the LSTMs' states.
    audio_width, vision_width : int
        Widths of the modalities' vectors.
    joint_head_width, text_head_width, audio_head_width, vision_head_width : int
        Widths of the heads' features.
    joint_dropout, text_dropout, audio_dropout, vision_dropout : float
        Dropout in front of the heads, in [0, 1).
    recurrent_dropout : float
        Dropout behind the LSTMs, in [0, 1).
    generate_labels : bool
        Ablation: if False, all modalities are trained on the common label, unweighted.
    weight_labels : bool
        Ablation: if False, the unimodal errors are not weighted.
    label_limit : float
        Largest magnitude of a generated label, > 0: 3, or 1 for CH-SIMS.
    exclude_zero : bool
        Whether items of label 0 belong to neither class centre.
    ratio_epsilon : float
        Added to the fusion's relative distance before dividing by it, > 0.
    text_rate, audio_rate, vision_rate : float
        Learning rates of the BERT and of the two LSTMs in units of the run's, > 0. The published
        ones are 5e-5, 5e-3 and 5e-3 beside 1e-3.

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
    audio_state_width: int = 16
    vision_state_width: int = 32
    audio_width: int = 16
    vision_width: int = 32
    joint_head_width: int = 128
    text_head_width: int = 32
    audio_head_width: int = 16
    vision_head_width: int = 32
    joint_dropout: float = 0.0
    text_dropout: float = 0.1
    audio_dropout: float = 0.1
    vision_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    generate_labels: bool = True
    weight_labels: bool = True
    label_limit: float = 3.0
    exclude_zero: bool = True
    ratio_epsilon: float = 1e-8
    text_rate: float = 0.05
    audio_rate: float = 5.0
    vision_rate: float = 5.0

    def __post_init__(self) -> None:
        rules: dict[tuple[str, ...], Callable[[float], bool]] = {
            ("_width", "_stride", "max_pieces"): lambda value: value >= 1,
            ("_dropout",): lambda value: 0.0 <= value < 1.0,
            ("_rate", "_limit", "_epsilon"): lambda value: value > 0.0,
        }
        wrong = {
            name: getattr(self, name)
            for endings, fits in rules.items()
            for name in self.__dataclass_fields__
            if name.endswith(endings) and not fits(getattr(self, name))
        }
        if wrong:
            raise ValueError(f"values outside their range: {wrong}")
