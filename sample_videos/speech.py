"""Spoken utterances from espeak-ng, with a prosody that follows the voice's sentiment."""

import shutil
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.signal import resample_poly
from script import Video

FloatArray = npt.NDArray[np.float64]
ESPEAK = "espeak-ng"
ESPEAK_RATE = 22050
# At sentiment +-1: steps of espeak-ng's pitch, percent of its pitch range, words a minute, dB.
PITCH_STEP, RANGE_STEP, RATE_STEP, LEVEL_STEP = 20.0, 60.0, 22.0, 5.0
MEAN_LEVEL_DB = -23.0
ENVELOPE_RATE = 200


class SpeechError(RuntimeError):
    """espeak-ng is missing or did not speak."""


@dataclass(frozen=True, kw_only=True)
class Prosody:
    """How an utterance is spoken.

    Parameters
    ----------
    voice : str
        Voice and variant of espeak-ng.
    pitch : int
        espeak-ng's base pitch, 0 to 99.
    pitch_range : int
        Percent of the voice's own pitch range.
    rate : int
        Words a minute.
    level_db : float
        Root-mean-square level of the speech in dB full scale.
    """

    voice: str
    pitch: int
    pitch_range: int
    rate: int
    level_db: float


def prosody_of(*, video: Video, sentiment: float, rng: np.random.Generator) -> Prosody:
    """Choose the prosody: happy is high, lively, fast and loud; unhappy the opposite.

    Parameters
    ----------
    video : Video
        The speaker.
    sentiment : float
        Of the voice, -1 to 1.
    rng : numpy.random.Generator
        For the variation from one utterance to the next.

    Returns
    -------
    Prosody
        Settings for ``speak``.
    """
    wobble = rng.uniform(-1, 1, size=4) * [3, 8, 5, 0.7]
    return Prosody(
        voice=video.voice,
        pitch=int(np.clip(round(video.pitch + PITCH_STEP * sentiment + wobble[0]), 0, 99)),
        pitch_range=round(100 + RANGE_STEP * sentiment + wobble[1]),
        rate=round(video.rate + RATE_STEP * sentiment + wobble[2]),
        level_db=round(MEAN_LEVEL_DB + LEVEL_STEP * sentiment + wobble[3], 2),
    )


def speak(*, text: str, prosody: Prosody) -> FloatArray:
    """Speak a sentence.

    Parameters
    ----------
    text : str
        The sentence.
    prosody : Prosody
        How to say it.

    Returns
    -------
    ndarray, shape (samples,)
        Speech at ``ESPEAK_RATE``, silence at both ends cut off.

    Raises
    ------
    SpeechError
        If espeak-ng is not installed or fails.
    """
    program = shutil.which(ESPEAK)
    if program is None:
        raise SpeechError(
            f"{ESPEAK} is not on the PATH; install it (Debian/Ubuntu: apt install espeak-ng) "
            "to make the sample videos"
        )
    markup = f'<prosody range="{prosody.pitch_range}%">{text}</prosody>'
    with TemporaryDirectory() as folder:
        target = Path(folder) / "speech.wav"
        done = subprocess.run(
            [program, "-m", "-v", prosody.voice, "-p", str(prosody.pitch), "-s", str(prosody.rate),
             "-w", str(target), markup],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0 or not target.exists():
            raise SpeechError(f"{ESPEAK} could not say {text!r}: {done.stderr.strip()}")
        with wave.open(str(target)) as file:
            if file.getframerate() != ESPEAK_RATE:
                raise SpeechError(
                    f"{ESPEAK} spoke at {file.getframerate()} Hz, expected {ESPEAK_RATE} Hz"
                )
            stored = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    signal = _trim(stored / 32768.0)
    level = np.sqrt(np.mean(signal**2))
    levelled: FloatArray = np.clip(signal * 10 ** (prosody.level_db / 20) / level, -0.99, 0.99)
    return levelled


def _trim(signal: FloatArray) -> FloatArray:
    loud = np.flatnonzero(np.abs(signal) > 0.01)
    return signal[max(loud[0] - 220, 0) : loud[-1] + 440]


def envelope(*, signal: FloatArray) -> FloatArray:
    """Measure how far the mouth is open from the loudness of speech.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
        Speech at ``ESPEAK_RATE``.

    Returns
    -------
    ndarray, shape (steps,)
        0 to 1 at ``ENVELOPE_RATE``; 1 is as loud as the 95th percentile of this signal.
    """
    squared = gaussian_filter1d(signal**2, 0.012 * ESPEAK_RATE)
    times = np.arange(0, len(signal) / ESPEAK_RATE, 1 / ENVELOPE_RATE)
    loudness = np.sqrt(np.interp(times, np.arange(len(signal)) / ESPEAK_RATE, squared))
    opening = np.clip(loudness / np.percentile(loudness, 95), 0, 1) ** 0.8
    smooth: FloatArray = np.clip(gaussian_filter1d(opening, 0.03 * ENVELOPE_RATE), 0, 1)
    return smooth


def resample(*, signal: FloatArray, sample_rate: int) -> FloatArray:
    """Bring speech from ``ESPEAK_RATE`` to another rate.

    Parameters
    ----------
    signal : ndarray, shape (samples,)
        Speech at ``ESPEAK_RATE``.
    sample_rate : int
        In Hz.

    Returns
    -------
    ndarray, shape (samples,)
        The same speech.
    """
    common = int(np.gcd(sample_rate, ESPEAK_RATE))
    resampled: FloatArray = resample_poly(signal, sample_rate // common, ESPEAK_RATE // common)
    return resampled
