"""Where words come from and how they get their times."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from pipeline.errors import ConfigError

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
AlignmentMethod = Literal["pocketsphinx", "ctc", "none"]
RecognitionMethod = Literal["whisper", "pocketsphinx", "none"]


@dataclass(frozen=True, kw_only=True)
class WordConfig:
    """What is done about words without times, and about clips without words.

    Parameters
    ----------
    alignment : {"pocketsphinx", "ctc", "none"}
        How words of a transcript without times are found in the sound: by pocketsphinx, whose
        English model comes with it; by a CTC model of your own; or not at all, so that they share
        the time of their subtitle, or of all speech, by their length.
    ctc_model : str or None
        Folder or name of a CTC model on disk, in the form of transformers; needed by ``ctc``.
    asr : {"whisper", "pocketsphinx", "none"}
        Who writes down what is said where there is no transcript. Pocketsphinx needs no weights
        and gets most words wrong.
    whisper_model : str
        Folder or name of a Whisper model on disk, in the form of transformers.
    allow_download : bool
        Whether a model that is not on disk may be fetched.
    language : str or None
        Code of the language that is spoken, such as ``en`` or ``pt-BR``. Without it Whisper detects
        it, and a transcript is taken for English if most of its words are in an English
        dictionary.

    Raises
    ------
    ConfigError
        If a choice is unknown, the language is no code, or ``ctc`` is chosen without a model.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    alignment: AlignmentMethod = "pocketsphinx"
    ctc_model: str | None = None
    asr: RecognitionMethod = "whisper"
    whisper_model: str = "openai/whisper-small"
    allow_download: bool = False
    language: str | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ("alignment", get_args(AlignmentMethod)),
            ("asr", get_args(RecognitionMethod)),
        ):
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"words: {name} must be one of {', '.join(choices)}, is {getattr(self, name)!r}"
                )
        if self.language is not None and not _LANGUAGE.fullmatch(self.language):
            raise ConfigError(
                f"words: language must be a code such as en or pt-BR, is {self.language!r}"
            )
        if self.alignment == "ctc" and self.ctc_model is None:
            raise ConfigError("words: alignment ctc needs ctc_model, a folder or name on disk")

    @property
    def spoken(self) -> str | None:
        """The language without its country, such as ``pt``."""
        return None if self.language is None else self.language.partition("-")[0]
