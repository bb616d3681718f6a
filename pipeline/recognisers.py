"""What is said where there is no transcript, by the recogniser that the settings name."""

import functools
from collections.abc import Sequence

from extractors.framing import Samples
from extractors.recognition import Recognition, recognise_speech
from extractors.sphinx_recognition import recognise_with_sphinx
from extractors.whisper_model import WhisperRecogniser
from pipeline.errors import ConfigError
from pipeline.passages import Span
from pipeline.speech_finder import SPEECH_RATE
from pipeline.word_config import WordConfig


def require_recogniser(*, config: WordConfig) -> None:
    """Load what :func:`recognise_words` needs, before any sound is decoded for it.

    Parameters
    ----------
    config : WordConfig
        By whom; not ``none``.

    Raises
    ------
    MissingModelError
        With code ``no_transcript``, if Whisper's weights are not there.
    ConfigError
        If the model does not know the language.
    """
    if config.asr == "whisper":
        _recogniser(config)


def recognise_words(*, config: WordConfig, signal: Samples, spans: Sequence[Span]) -> Recognition:
    """Write down what is said.

    Parameters
    ----------
    config : WordConfig
        By whom; not ``none``.
    signal : ndarray of float, shape (N,)
        Sound of 16 kHz.
    spans : sequence of (start, end)
        Where somebody speaks.

    Returns
    -------
    Recognition
        Words with times, and what is doubtful.

    Raises
    ------
    MissingModelError
        With code ``no_transcript``, if Whisper's weights are not there.
    ConfigError
        If the model does not know the language.
    """
    if config.asr == "pocketsphinx":
        return recognise_with_sphinx(signal=signal, sample_rate=SPEECH_RATE, spans=spans)
    return recognise_speech(
        recogniser=_recogniser(config),
        signal=signal,
        sample_rate=SPEECH_RATE,
        spans=spans,
        language=config.spoken,
    )


def _recogniser(config: WordConfig) -> WhisperRecogniser:
    recogniser = _whisper(config.whisper_model, config.allow_download)
    if config.spoken not in (None, *recogniser.languages):
        raise ConfigError(
            f"words: language {config.language!r} is none that {config.whisper_model} knows "
            f"({', '.join(recogniser.languages)})"
        )
    return recogniser


@functools.lru_cache(maxsize=1)
def _whisper(model: str, allow_download: bool) -> WhisperRecogniser:
    return WhisperRecogniser(model, allow_download=allow_download)
