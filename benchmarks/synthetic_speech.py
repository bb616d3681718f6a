"""Synthesised speech whose word starts are known, disturbed, and with transcripts that lie.

eSpeak NG speaks and reports when every word begins; its library comes with ``espeakng-loader``.
"""

import csv
import ctypes
import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.signal import resample_poly

RATE = 16000
SCRIPT = Path(__file__).parents[1] / "sample_videos" / "script.csv"
VOICES = ("en-us", "en-us+f2", "en-029", "en-gb-x-rp+f3", "en-us+m3", "en-gb-scotland+m7")
SPEEDS = (130, 175, 220)
SNR = 10.0
HARD = (
    "In 2019 she sold 1,250 tickets for $5 each, on the 2nd of May.",
    "Well, it's a 20% discount: that's what www.example.com says!",
    "The U.S. embassy opens at 5:30, doesn't it?",
    "NASA's well-known engineers, i.e. Zuckerberg's friends, left in the 1990s.",
)
Array = np.ndarray


class Speech(NamedTuple):
    """Synthesised speech with the true start of its words, NaN where nobody knows it."""

    signal: Array
    tokens: list[str]
    starts: Array


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
_RETRIEVAL, _WORD_EVENT, _RATE_PARAMETER, _UTF8 = 1, 1, 1, 1


@functools.cache
def synthesiser() -> tuple[ctypes.CDLL, int]:
    """Load eSpeak NG, and say its sampling rate."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    return library, library.espeak_Initialize(_RETRIEVAL, 0, data, 0)


def speak(text: str, *, voice: str, speed: int) -> Speech:
    """Synthesise a sentence."""
    library, rate = synthesiser()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise ValueError(f"eSpeak NG has no voice {voice!r}")
    library.espeak_SetParameter(_RATE_PARAMETER, speed, 0)
    pieces: list[Array] = []
    starts: dict[int, float] = {}

    def collect(samples: object, count: int, events: object) -> int:
        if samples and count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).astype(np.float32) / 32768)
        i = 0
        while events[i].type != 0:
            if events[i].type == _WORD_EVENT:
                starts.setdefault(events[i].text_position - 1, events[i].sample / rate)
            i += 1
        return 0

    callback = _Callback(collect)
    library.espeak_SetSynthCallback(callback)
    encoded = text.encode()
    library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    common = np.gcd(RATE, rate)
    signal = resample_poly(np.concatenate(pieces), RATE // common, rate // common)
    tokens = [*re.finditer(r"\S+", text)]
    true = [
        min((at for place, at in starts.items() if t.start() <= place < t.end()), default=np.nan)
        for t in tokens
    ]
    return Speech(signal.astype(np.float32), [t.group() for t in tokens], np.array(true))


def talk(seed: int, *, sentences: int) -> Speech:
    """Sentences of one voice with pauses of 0.2 to 1.5 s between them."""
    rng = np.random.default_rng(seed)
    with SCRIPT.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)] + list(HARD)
    voice, speed = VOICES[seed % len(VOICES)], SPEEDS[seed // len(VOICES) % len(SPEEDS)]
    parts = [
        speak(text, voice=voice, speed=speed)
        for text in rng.permutation(texts)[np.arange(sentences) % len(texts)]
    ]
    signal, tokens, starts, length = [], [], [], 0
    for part in parts:
        pause = np.zeros(int(rng.uniform(0.2, 1.5) * RATE), np.float32)
        starts.append(part.starts + (length + len(pause)) / RATE)
        signal += [pause, part.signal]
        tokens += part.tokens
        length += len(pause) + len(part.signal)
    return Speech(np.concatenate(signal), tokens, np.concatenate(starts))


def at_snr(signal: Array, other: Array) -> Array:
    """Mix two sounds at 10 dB."""
    power = np.mean(signal[np.abs(signal) > 1e-3] ** 2)
    gain = np.sqrt(power / np.mean(other**2) / 10 ** (SNR / 10))
    return (signal + gain * other).astype(np.float32)


def white(signal: Array, rng: np.random.Generator) -> Array:
    """Add white noise."""
    return at_snr(signal, rng.standard_normal(len(signal)))


def pink(signal: Array, rng: np.random.Generator) -> Array:
    """Add noise whose power falls by 3 dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(len(signal)))
    spectrum /= np.sqrt(np.arange(len(spectrum)) + 1)
    return at_snr(signal, np.fft.irfft(spectrum, len(signal)))


def music(signal: Array, rng: np.random.Generator) -> Array:
    """Add chords of plucked tones with a beat."""
    seconds = np.arange(RATE // 2) / RATE
    beats = []
    for beat in range(-(-len(signal) // len(seconds))):
        root = 110 * 2 ** ((0, 5, 7, 3)[beat // 4 % 4] / 12)
        tones = [
            np.sin(2 * np.pi * root * 2 ** (step / 12) * k * seconds) / k
            for step in (0, 4, 7, 12)
            for k in range(1, 7)
        ]
        drum = rng.standard_normal(len(seconds)) * np.exp(-seconds * 60)
        beats.append(np.sum(tones, axis=0) * np.exp(-seconds * 4) + drum)
    return at_snr(signal, np.concatenate(beats)[: len(signal)])


CONDITIONS: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "clean": lambda signal, rng: signal,
    "white noise, 10 dB": white,
    "pink noise, 10 dB": pink,
    "music, 10 dB": music,
}


def long_talk(minutes: int) -> Speech:
    """Join talks of all voices to a length."""
    parts, length, seed = [], 0, 0
    while length < minutes * 60 * RATE:
        part = talk(seed, sentences=20)
        parts.append(part._replace(starts=part.starts + length / RATE))
        length += len(part.signal)
        seed += 1
    return Speech(
        np.concatenate([part.signal for part in parts]),
        [token for part in parts for token in part.tokens],
        np.concatenate([part.starts for part in parts]),
    )


class Lie(NamedTuple):
    """A transcript that is wrong: kept tokens of the talk, and tokens that nobody says."""

    tokens: list[str]
    origins: list[int | None]


def lies(speech: Speech, strangers: Sequence[str], rng: np.random.Generator) -> dict[str, Lie]:
    """Make wrong transcripts of a talk."""
    count = len(speech.tokens)
    kept = [i for i in range(count) if rng.random() > 0.1]
    changed = [None if rng.random() < 0.1 else i for i in range(count)]
    plans: dict[str, list[int | None]] = {
        "12 words in a row not written": [*range(15), *range(27, count)],
        "12 words in a row not said": [*range(20), *[None] * 12, *range(20, count)],
        "a word in ten not written": [*kept],
        "a word in ten another": changed,
    }
    pool = iter(rng.permutation(strangers).tolist() * 9)
    return {
        name: Lie([next(pool) if i is None else speech.tokens[i] for i in plan], plan)
        for name, plan in plans.items()
    }
