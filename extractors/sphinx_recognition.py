"""Words with times from English sound by pocketsphinx, which is poor but needs no weights."""

import importlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from extractors.errors import MissingModelError
from extractors.framing import Samples
from extractors.recognition import Doubt, Recognition
from extractors.sequence import Seconds
from extractors.speech_chunks import SpeechChunk, speech_chunks
from extractors.sphinx_model import model_folder
from extractors.words import Word

SAMPLE_RATE = 16000
# Memory and the time for a search back grow with a chunk.
LONGEST_CHUNK: Seconds = 30.0
# Words that are none: silence and noises begin with these.
FILLER_MARKS = ("<", "[", "++")


def recognise_with_sphinx(
    *, signal: Samples, sample_rate: int, spans: Sequence[tuple[Seconds, Seconds]]
) -> Recognition:
    """Write down what is said in English, with the time of every word.

    Most words of free speech come out wrong: the model is small, and knows read speech and a
    trigram of some twenty thousand words. Use it where nothing better is at hand, and believe its
    times rather than its words.

    Parameters
    ----------
    signal : ndarray of float, shape (N,)
        Sound, nominally in [-1, 1].
    sample_rate : int
        16000 Hz.
    spans : sequence of (Seconds, Seconds)
        Where somebody speaks, from :func:`extractors.speech.speech_spans`.

    Returns
    -------
    Recognition
        Words in lower case without punctuation, their confidence the posterior probability in the
        lattice of what might have been said; language ``en``; a doubt ``poor_transcript``
        whenever there are words.

    Raises
    ------
    ValueError
        If the sampling rate is another one.
    MissingModelError
        If the package pocketsphinx is not installed, or without its language model.

    References
    ----------
    Huggins-Daines et al. (2006), "PocketSphinx: A Free, Real-Time Continuous Speech Recognition
    System for Hand-Held Devices", ICASSP.
    """
    if sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"pocketsphinx hears sound of {SAMPLE_RATE} Hz, got {sample_rate} Hz; resample it"
        )
    chunks = speech_chunks(
        signal=signal, sample_rate=sample_rate, spans=spans, longest=LONGEST_CHUNK
    )
    if not chunks:
        return Recognition(words=(), language="en")
    decoder = _decoder()
    words: list[Word] = []
    for chunk in chunks:
        part = signal[round(chunk.start * sample_rate) : round(chunk.end * sample_rate)]
        words += _hear(decoder=decoder, sound=part, chunk=chunk)
    doubt = Doubt(
        code="poor_transcript",
        detail=f"{len(words)} words were recognised by pocketsphinx, which gets most words of "
        "free speech wrong; write them down, or use a Whisper model",
    )
    return Recognition(words=tuple(words), language="en", doubts=(doubt,) if words else ())


def _decoder() -> Any:
    """Make a fresh decoder: an old one carries its estimate of the channel along."""
    folder = model_folder()
    if not (folder / "en-us.lm.bin").is_file():
        raise MissingModelError(
            f"{folder}: holds no language model en-us.lm.bin; reinstall pocketsphinx>=5.1"
        )
    pocketsphinx: Any = importlib.import_module("pocketsphinx")
    return pocketsphinx.Decoder(
        hmm=str(folder / "en-us"),
        lm=str(folder / "en-us.lm.bin"),
        dict=str(folder / "cmudict-en-us.dict"),
        samprate=SAMPLE_RATE,
        # the mean of the whole chunk instead of one that follows the chunks before
        cmn="batch",
        loglevel="FATAL",
    )


def _hear(*, decoder: Any, sound: Samples, chunk: SpeechChunk) -> Iterator[Word]:
    decoder.start_utt()
    decoder.process_raw(_pulse_code(sound), full_utt=True)
    decoder.end_utt()
    frames = float(decoder.config["frate"])
    earliest = chunk.start
    for segment in decoder.seg() or ():
        if segment.word.startswith(FILLER_MARKS):
            continue
        # frames are counted with the last one included
        end = min(chunk.start + (segment.end_frame + 1) / frames, chunk.end)
        start = min(max(chunk.start + segment.start_frame / frames, earliest), end)
        earliest = end
        yield Word(
            # a word's second pronunciation is marked "(2)"
            text=segment.word.partition("(")[0],
            start=start,
            end=end,
            confidence=min(1.0, segment.prob),
            source="recognised",
        )


def _pulse_code(sound: Samples) -> bytes:
    """Turn samples to 16 bits in the order of bytes that the machine has."""
    return (np.clip(sound, -1.0, 1.0) * 32767).astype(np.int16).tobytes()
