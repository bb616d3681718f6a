"""Words with times from sound alone, by Whisper."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from extractors.framing import Samples
from extractors.sequence import Seconds
from extractors.speech_chunks import SpeechChunk, speech_chunks
from extractors.whisper_model import COMPRESSION_LIMIT, HeardText, WhisperRecogniser
from extractors.words import Word

FRAME: Seconds = 0.02
# Chunks that are asked for their language.
LANGUAGE_CHUNKS = 8
# Radford et al., section 4.5: nobody speaks if both limits are passed.
NO_SPEECH_LIMIT = 0.6
LOG_PROBABILITY_LIMIT = -1.0


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Why a recognised transcript should not be believed, or not in one place.

    Parameters
    ----------
    code : str
        ``poor_transcript``, ``no_speech`` or ``repetition``.
    detail : str
        What happened and where.
    """

    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What a recogniser heard.

    Parameters
    ----------
    words : tuple of Word
        In order of time, not overlapping; their source is ``recognised``, their confidence the
        mean probability of what they are written with.
    language : str or None
        Code of the language, ISO 639; None if nobody speaks and it was not given.
    doubts : tuple of Doubt
        What was left out or is not to be trusted.
    """

    words: tuple[Word, ...]
    language: str | None
    doubts: tuple[Doubt, ...] = ()


def recognise_speech(
    *,
    recogniser: WhisperRecogniser,
    signal: Samples,
    sample_rate: int,
    spans: Sequence[tuple[Seconds, Seconds]],
    language: str | None = None,
) -> Recognition:
    """Write down what is said, with the time of every word.

    Speech is packed into chunks of at most 30 s, cut in pauses, and these are heard in batches,
    each by itself. Words get their times from Whisper's attention, and lose what sticks out of
    the speech. Chunks in which Whisper writes the same again and again, even when asked anew, and
    those in which it believes that nobody speaks, are left out.

    Parameters
    ----------
    recogniser : WhisperRecogniser
        A loaded model.
    signal : ndarray of float, shape (N,)
        Sound, nominally in [-1, 1].
    sample_rate : int
        The recogniser's, 16000 Hz.
    spans : sequence of (Seconds, Seconds)
        Where somebody speaks, from :func:`extractors.speech.speech_spans`.
    language : str, optional
        Code of the language, ISO 639; found from the first 8 chunks without it.

    Returns
    -------
    Recognition
        No words where nobody speaks.

    Raises
    ------
    ValueError
        If the sampling rate is another one, or the model does not know the language.

    References
    ----------
    Radford et al. (2023), "Robust Speech Recognition via Large-Scale Weak Supervision", ICML,
    section 4.5. Bain et al. (2023), "WhisperX", Interspeech.
    """
    if sample_rate != recogniser.sample_rate:
        raise ValueError(
            f"this model hears sound of {recogniser.sample_rate} Hz, got {sample_rate} Hz; "
            "resample it"
        )
    chunks = speech_chunks(
        signal=signal, sample_rate=sample_rate, spans=spans, longest=recogniser.longest
    )
    if not chunks:
        return Recognition(words=(), language=language)
    sounds = [
        signal[round(chunk.start * sample_rate) : round(chunk.end * sample_rate)]
        for chunk in chunks
    ]
    language = language or recogniser.detect_language(sounds[:LANGUAGE_CHUNKS])
    words: list[Word] = []
    doubts = []
    for chunk, heard in zip(chunks, recogniser.hear(sounds, language=language), strict=True):
        doubt = doubt_of(chunk=chunk, heard=heard)
        if doubt is not None:
            doubts.append(doubt)
            continue
        earliest = words[-1].end if words else 0.0
        words += timed_words(heard=heard, chunk=chunk, spans=spans, earliest=earliest)
    return Recognition(words=tuple(words), language=language, doubts=tuple(doubts))


def timed_words(
    *,
    heard: HeardText,
    chunk: SpeechChunk,
    spans: Sequence[tuple[Seconds, Seconds]],
    earliest: Seconds,
) -> list[Word]:
    """Turn a chunk's tokens into words with times.

    Parameters
    ----------
    heard : HeardText
        What was written for the chunk.
    chunk : SpeechChunk
        Where it lies.
    spans : sequence of (Seconds, Seconds)
        Where somebody speaks. Attention rests on a word until the next one, so a word that
        reaches into a pause keeps the longest part of it that is speech.
    earliest : Seconds
        No word starts before, ``<= chunk.end``.

    Returns
    -------
    list of Word
        In order, not overlapping, inside the chunk.
    """
    words = []
    near = [span for span in spans if span[1] > chunk.start and span[0] < chunk.end]
    for word in heard.words:
        start, end = (
            min(chunk.start + FRAME * int(heard.onsets[token]), chunk.end)
            for token in (word.first, word.last)
        )
        start, end = _spoken_part(start=start, end=end, spans=near)
        start = max(start, earliest)
        earliest = max(start, end)
        words.append(
            Word(
                text=word.text,
                start=start,
                end=earliest,
                confidence=float(np.mean(heard.probabilities[word.first : word.last])),
                source="recognised",
            )
        )
    return words


def doubt_of(*, chunk: SpeechChunk, heard: HeardText) -> Doubt | None:
    """Tell whether what was written for a chunk should be left out.

    Parameters
    ----------
    chunk : SpeechChunk
        Where it lies.
    heard : HeardText
        What was written.

    Returns
    -------
    Doubt or None
        ``no_speech`` if the model believes that nobody speaks and its text is unlikely;
        ``repetition`` if the text packs better than speech does; None if it may stay.
    """
    where = f"{chunk.start:.2f} to {chunk.end:.2f} s"
    if heard.no_speech > NO_SPEECH_LIMIT and heard.mean_log_probability < LOG_PROBABILITY_LIMIT:
        return Doubt(
            code="no_speech",
            detail=f"{where}: Whisper believes that nobody speaks ({heard.no_speech:.2f}); its "
            f"{len(heard.words)} words are left out",
        )
    if heard.compression > COMPRESSION_LIMIT:
        return Doubt(
            code="repetition",
            detail=f"{where}: Whisper wrote the same again and again (compression "
            f"{heard.compression:.1f}); its {len(heard.words)} words are left out",
        )
    return None


def _spoken_part(
    *, start: Seconds, end: Seconds, spans: Sequence[tuple[Seconds, Seconds]]
) -> tuple[Seconds, Seconds]:
    """Longest overlap with a stretch of speech; all of it if there is none."""
    parts = [(max(start, s), min(end, e)) for s, e in spans if min(end, e) > max(start, s)]
    return max(parts, key=lambda part: part[1] - part[0], default=(start, end))
